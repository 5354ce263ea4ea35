"""HTTP requests, responses and multipart bodies as the simulator reads and writes them."""
