# promtool of Debian and the official decoder of OTLP, below target/monitoring. To be read by other scripts, from the repository.
# Nothing is installed into the system: the package of Prometheus would start a server.

monitoring() {
  if [ ! -x target/monitoring/promtool ] && ! command -v promtool >/dev/null; then
    echo "unpacking promtool into target/monitoring"
    mkdir -p target/monitoring/package
    (cd target/monitoring/package && apt-get download -q prometheus 2>/dev/null) ||
      { as_root apt-get update -q && (cd target/monitoring/package && apt-get download -q prometheus); }
    dpkg-deb -x target/monitoring/package/prometheus_*.deb target/monitoring/package/files
    mv target/monitoring/package/files/usr/bin/promtool target/monitoring/promtool
    rm -r target/monitoring/package
  fi
  local wanted
  wanted="$(sha256sum <tests/it/telemetry/requirements.txt)"
  if [ "$(cat target/monitoring/installed 2>/dev/null)" != "$wanted" ]; then
    echo "installing the decoder of OTLP into target/monitoring"
    mkdir -p target/monitoring
    python3 -m venv --clear target/monitoring/venv
    target/monitoring/venv/bin/pip install -q --disable-pip-version-check -r tests/it/telemetry/requirements.txt
    echo "$wanted" >target/monitoring/installed
  fi
}
