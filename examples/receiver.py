"""A receiver for trying things out: prints what comes and answers 200.

python3 examples/receiver.py [port]
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    """Answers every POST with 200."""

    def do_POST(self) -> None:
        """Print headers and body of a delivery."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(f"{self.headers}{body.decode()}\n", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 9000), Receiver).serve_forever()
