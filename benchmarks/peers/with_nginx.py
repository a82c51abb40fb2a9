# /// script
# dependencies = []
# [tool.bench]
# title = "nginx, a fixed reply"
# setting = "one worker; nothing is read, nothing computed: the ceiling"
# doors = { json = {}, binary = {} }
# fixed = true
# ///
"""nginx answers all it is asked with the same bytes."""

import os
import tempfile
from pathlib import Path

OUTPUT = '{"name":"y","datatype":"FP32","shape":[1,10],"data":[' + ",".join(["0.1"] * 10) + "]}"
CONF = """
daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_max_body_size 10m; client_body_buffer_size 1m; client_body_temp_path body;
  server {
    listen 127.0.0.1:%s;
    location / {
      default_type application/json;
      return 200 '{"model_name":"mlp","outputs":[%s]}';
    }
  }
}
"""

folder = Path(tempfile.mkdtemp(prefix="nginx"))
(folder / "nginx.conf").write_text(CONF % (os.environ["BENCH_PORT"], OUTPUT))
os.execvp("nginx", ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
