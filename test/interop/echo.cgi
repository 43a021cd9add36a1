#!/bin/sh
# Answers with the bytes of the request's body, and with what it was told about them. The body is
# read to its end first: Apache writes all of it before it reads a byte of the answer.
file=$(mktemp)
exec 3>"$file" 4<"$file"
rm "$file"
cat >&3
printf 'Content-Type: application/octet-stream\r\n'
printf 'Echo-Method: %s\r\n' "$REQUEST_METHOD"
printf 'Echo-Query: %s\r\n' "$QUERY_STRING"
printf 'Echo-Type: %s\r\n\r\n' "$CONTENT_TYPE"
exec cat <&4
