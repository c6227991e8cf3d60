"""Make `src/sluicegate/http/static/scalar.*` anew, through npm: `make vendor-scalar`.

Without an argument the version that the manifest names, which must come out as the manifest says.
With one, that version; the manifest is then rewritten: look at what changed before it is committed.
"""

import base64
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

STATIC = Path(__file__).parent.parent / "src/sluicegate/http/static"
MANIFEST = STATIC / "scalar.json"
MEMBER = "package/dist/browser/standalone.js"


def main() -> None:
    """Fetch, check, pack."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    version = sys.argv[1] if len(sys.argv) > 1 else manifest["version"]
    script, integrity = fetch(manifest["package"], version)
    found = {
        **manifest,
        "version": version,
        "integrity": integrity,
        "bytes": len(script),
        "sha256": hashlib.sha256(script).hexdigest(),
    }
    if version == manifest["version"] and found != manifest:
        sys.exit(f"{version} is not what {MANIFEST.name} says: {found}")
    (STATIC / "scalar.js.gz").write_bytes(gzip.compress(script, 9, mtime=0))
    MANIFEST.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"vendor-scalar: {manifest['package']} {version}, sha256 {found['sha256']}")


def fetch(package: str, version: str) -> tuple[bytes, str]:
    """Return the script and the integrity of the archive that it comes from."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{package}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        digest = hashlib.sha512(archive.read_bytes()).digest()
        with tarfile.open(archive) as files:
            member = files.extractfile(MEMBER)
            assert member is not None, f"{package} {version} has no {MEMBER}"
            return member.read(), "sha512-" + base64.b64encode(digest).decode()


if __name__ == "__main__":
    main()
