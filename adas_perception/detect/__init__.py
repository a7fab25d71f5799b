"""Networks over pictures, folders and videos: result files and overlays."""
