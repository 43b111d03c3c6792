/* tests/fuzz/request_target.c - the path and query of a request: routes, names, references, digests, session
 * ids, "n" and "last". The first byte says which method; what follows up to a line end is the target, or,
 * when it does not start with a slash, what stands behind the URL of upload sessions; the rest is the body.
 *
 * The whole API runs over a store in memory, without a server (tests/unit/registry/fixture.h): whatever the
 * target, there is one answer, of a status that the API knows, and nothing of the request in it that could
 * break a header. */
#include "../unit/registry/fixture.h"
#include "fuzz.h"

static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"};

/* What is pushed stays: begun anew now and then, so that a run depends on few others. */
static void open_now_and_then(void)
{
    static unsigned runs;
    if (runs++ % 5000 == 0) {
        if (runs > 1)
            site_close(NULL);
        site_open(NULL);
        push_image("a/b", "v1", "");
    }
    site_log();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int known[] = {200, 201, 202, 204, 206, 301, 304, 307, 400, 404,
                                405, 409, 411, 412, 413, 414, 415, 416, 429};
    if (size < 1)
        return 0;
    open_now_and_then();
    berth_str target, body;
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(8 * MIB);
    str_cut((berth_str){(const char *)data + 1, size - 1}, '\n', &target, &body);
    if (!target.n || target.p[0] != '/')
        berth_buf_add_str(&url, STR("/v2/a/b/blobs/uploads/"));
    for (size_t i = 0; i < target.n; i++) /* the header block lets nothing else pass (http/block.c) */
        if ((unsigned char)target.p[i] > ' ' && (unsigned char)target.p[i] < 0x7f)
            berth_buf_putc(&url, target.p[i]);
    int status = ask(methods[data[0] % COUNT(methods)], berth_buf_cstr(&url),
                     "Content-Type: " MT_OCI_INDEX "\n", body);
    bool found = false;
    for (size_t i = 0; i < COUNT(known); i++)
        found = found || known[i] == status;
    require(found);
    for (size_t i = 0; i < asked()->n_answered; i++)
        for (const char *p = asked()->answered[i].value; *p; p++)
            require((unsigned char)*p >= ' ' || *p == '\t');
    return 0;
}
