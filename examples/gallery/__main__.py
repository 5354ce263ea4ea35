"""Start the gallery: ``python examples/gallery``."""

import argparse

import uvicorn

from gallery import KEYS, app

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="gallery", description="A page for the pictures of a WeChat account.")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; name it in GALLERY_HOSTS as well, and use TLS"
    )
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    KEYS.address = f"http://{options.host}:{options.port}"
    uvicorn.run(app, host=options.host, port=options.port)
