# Emulators of AWS, in a Python environment of their own below target/aws. To be read by other scripts, from the repository.

emulators() {
  local wanted
  wanted="$(sha256sum <tests/it/aws/requirements.txt)"
  if [ "$(cat target/aws/installed 2>/dev/null)" != "$wanted" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
      { echo "the emulators of AWS need Python 3.11 or newer" >&2; exit 1; }
    echo "installing emulators of AWS into target/aws"
    mkdir -p target/aws
    python3 -m venv --clear target/aws/venv
    target/aws/venv/bin/pip install -q --disable-pip-version-check --no-deps -r tests/it/aws/requirements.txt
    echo "$wanted" >target/aws/installed
  fi
}
