"""No server: values in, values out."""
