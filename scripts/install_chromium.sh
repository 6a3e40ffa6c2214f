#!/bin/sh
# Debian's Chromium, for the tests of the web page and of a GPU in software (SwiftShader, which it
# brings). Nothing where a Chromium is there already. Where it can't be had, that is said, and not
# an error: the tests that need it skip with their reason.
set -u
for program in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$program"; then exit 0; fi
done
skip() {
    echo "no Chromium: $1; the tests of the page in a browser and of WebGPU are skipped"
    exit 0
}
command -v apt-get > /dev/null || skip "this is no Debian; install it by hand"
[ "$(id -u)" = 0 ] || skip "only root may install it: sudo apt-get install chromium"
export DEBIAN_FRONTEND=noninteractive
timeout 120 apt-get update -qq || skip "apt-get update failed"
timeout 300 apt-get install -y -qq --no-install-recommends chromium fonts-liberation > /dev/null ||
    skip "apt-get install chromium failed"
command -v chromium || skip "the package chromium has no program of that name"
