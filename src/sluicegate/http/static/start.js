// Draws the API reference once its script is there. Everything that would ask another host is off;
// the page's Content-Security-Policy holds it to that.
"use strict";

// The script has a checker of values that would like to compile, which the policy forbids.
globalThis.__zod_globalConfig = { jitless: true };

addEventListener("DOMContentLoaded", () => {
  Scalar.createApiReference("#reference", {
    url: new URL("openapi.json", document.baseURI).href,
    agent: { disabled: true },
    documentDownloadType: "json",
    hideClientButton: true,
    mcp: { disabled: true },
    persistAuth: false,
    showDeveloperTools: "never",
    telemetry: false,
    withDefaultFonts: false,
  });
});
