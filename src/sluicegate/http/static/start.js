// Draws the API reference. Everything that would ask another host is off; the page's
// Content-Security-Policy holds it to that.
"use strict";

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
