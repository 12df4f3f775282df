"""What the built-in tools are made of: the web, files in a folder, programs in a subprocess, search over content."""
