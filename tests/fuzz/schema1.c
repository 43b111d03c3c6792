/* tests/fuzz/schema1.c - a signed manifest of Docker's schema 1: what is taken for its payload stands in it,
 * and only signatures beside. */
#include "fuzz.h"
#include "oci/schema1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const berth_str bytes = {(const char *)data, size};
    CLEANUP(berth_buf_done) berth_buf payload = BERTH_BUF_INIT(16 * MIB);
    berth_digest digest;
    berth_error err = BERTH_ERROR_INIT;
    int r = oci_schema1_payload(bytes, &payload, &err);
    digest_of(HASH_SHA256, bytes.p, bytes.n, &digest);
    require(oci_schema1_compare(bytes, &digest) == BERTH_OK);
    digest_of(HASH_SHA256, payload.p, payload.n, &digest);
    if (r != BERTH_OK) {
        require(r == BERTH_E_INVALID && payload.n == 0 && err.message[0]);
        require(size == 0 || oci_schema1_compare(bytes, &digest) == BERTH_E_DIGEST);
        return 0;
    }
    require(oci_schema1_compare(bytes, &digest) == BERTH_OK);
    size_t same = 0;
    while (same < payload.n && payload.p[same] == bytes.p[same])
        same++;
    require(same > 1); /* it begins as the manifest does, and ends with a brace and blanks */
    for (size_t i = same, braces = 0; i < payload.n; i++) {
        braces += payload.p[i] == '}';
        require(braces <= 1 && (payload.p[i] == '}' || memchr(" \t\r\n", payload.p[i], 4)));
    }
    return 0;
}
