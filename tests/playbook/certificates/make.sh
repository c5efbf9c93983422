#!/bin/sh
# Makes the certificates of the tests anew: an authority of their own, a server it vouches for, and one whose names do
# not fit. Their keys protect nothing; they are in the repository so that the tests need neither openssl nor a network.
set -eu
cd "$(dirname "$0")"
DAYS=36500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $DAYS -subj "/CN=tokenpak tests" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$work/ca.key" -out authority.pem

leaf() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr"
    printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth" \
        "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" "subjectAltName=$2" > "$work/extensions"
    openssl x509 -req -in "$work/$1.csr" -CA authority.pem -CAkey "$work/ca.key" -CAcreateserial -CAserial "$work/serial" \
        -days $DAYS -extfile "$work/extensions" -out "$work/$1.pem"
    cat "$work/$1.pem" "$work/$1.key" > "$1.pem"
}
leaf server "DNS:localhost,IP:127.0.0.1,DNS:api.provider.test"
leaf stranger "DNS:someone-else.test"
