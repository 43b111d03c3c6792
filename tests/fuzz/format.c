/* tests/fuzz/format.c - templates of --format over a document: text in any order, no crash, no leak, an end.
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/format.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char document[] =
        "{\"digest\":\"sha256:1\",\"size\":3,\"half\":0.5,\"none\":null,\"tags\":[\"a\",\"b\"],"
        "\"layers\":[{\"size\":1,\"note\":{\"k\":\"v\"}}]}";
    CLEANUP(freep) char *text = str_dup((berth_str){(const char *)data, size});
    struct format *f = NULL;
    berth_error err;
    if (!text || size > 2000 || format_parse(text, &f, &err) != BERTH_OK)
        return 0;
    json_t *root = json_loads(document, 0, NULL);
    FILE *out = fopen("/dev/null", "we");
    if (root && out)
        format_print(f, root, out, &err);
    if (out)
        fclose(out);
    json_decref(root);
    format_free(f);
    return 0;
}
