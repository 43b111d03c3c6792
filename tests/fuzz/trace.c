/* tests/fuzz/trace.c - header blocks as the trace tells them: nothing acts on a terminal, and once masked is
 * masked. */
#include "client/internal.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char secret[] = "Authorization: Bearer hidden\r\n";
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB), again = BERTH_BUF_INIT(MIB);
    CLEANUP(berth_buf_done) berth_buf block = BERTH_BUF_INIT(MIB);
    trace_mask((berth_str){(const char *)data, size}, &out);
    for (size_t i = 0; i < out.n; i++)
        require(out.p[i] == '\n' || ((unsigned char)out.p[i] >= ' ' && out.p[i] != 0x7f));
    require(!out.n || out.p[out.n - 1] == '\n');
    berth_buf_addf(&block, "GET / HTTP/1.1\r\n");
    berth_buf_add(&block, data, size);
    berth_buf_addf(&block, "\r\n%s", secret); /* whatever stands before it */
    trace_mask(berth_buf_str(&block), &again);
    require(again.n > 0 && str_ends(berth_buf_str(&again), STR("Authorization: Bearer ***\n")));
    return 0;
}
