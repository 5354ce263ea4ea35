"""HTTP requests, responses and multipart bodies of the simulator."""
