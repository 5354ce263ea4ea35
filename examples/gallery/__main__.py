"""Start the gallery: ``python examples/gallery``."""

import argparse

import uvicorn

from gallery import app

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="gallery", description="A page for the pictures of a WeChat account.")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; every client with access can delete pictures"
    )
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    uvicorn.run(app, host=options.host, port=options.port)
