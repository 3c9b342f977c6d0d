# promtool and Alertmanager of Debian and the official decoder of OTLP, below target/monitoring. To be read by other scripts, from
# the repository. No package is installed into the system: they would start servers. Only the templates of Alertmanager are copied to
# where Debian's build looks for them.

# Unpacks a program of a package of Debian: package, program, name.
unpacked() {
  [ ! -x "target/monitoring/$3" ] || return 0
  echo "unpacking $3 into target/monitoring"
  mkdir -p target/monitoring/package
  (cd target/monitoring/package && apt-get download -q "$1" 2>/dev/null) ||
    { as_root apt-get update -q && (cd target/monitoring/package && apt-get download -q "$1"); }
  dpkg-deb -x "target/monitoring/package/$1"_*.deb target/monitoring/package/files
  mv "target/monitoring/package/files/usr/bin/$2" "target/monitoring/$3"
  local templates=usr/share/prometheus/alertmanager
  if [ -d "target/monitoring/package/files/$templates" ] && [ ! -e "/$templates/default.tmpl" ]; then
    as_root mkdir -p "/$templates"
    as_root cp "target/monitoring/package/files/$templates"/*.tmpl "/$templates/"
  fi
  rm -r target/monitoring/package
}

monitoring() {
  command -v promtool >/dev/null || unpacked prometheus promtool promtool
  [ -e /usr/share/prometheus/alertmanager/default.tmpl ] || rm -f target/monitoring/alertmanager
  unpacked prometheus-alertmanager prometheus-alertmanager alertmanager
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
