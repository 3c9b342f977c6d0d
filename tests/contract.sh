# What holds the document of the API against the API, below target/contract. To be read by other scripts, from the repository.

contract() {
  local wanted
  wanted="$(sha256sum <tests/it/server/requirements.txt)"
  if [ "$(cat target/contract/installed 2>/dev/null)" != "$wanted" ]; then
    echo "installing what tests the API into target/contract"
    python3 -m venv --clear target/contract
    target/contract/bin/pip install -q --disable-pip-version-check -r tests/it/server/requirements.txt
    echo "$wanted" >target/contract/installed
  fi
}
