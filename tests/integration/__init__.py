"""One real server, a clock moved by hand: what each script promises, and the drain over them."""
