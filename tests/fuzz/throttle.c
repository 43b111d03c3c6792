/* tests/fuzz/throttle.c - what answers say beside their content: Retry-After, RateLimit, Warning, dates. */
#include "fuzz.h"
#include "http/date.h"
#include "http/throttle.h"
#include "http/warning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str s = {(const char *)data, size};
    int64_t seconds, ms;
    uint64_t n, window;
    if (http_date_parse(s, &seconds))
        require(seconds > -62168000000 && seconds < 253403000000); /* years 0 to 9999 */
    if (http_retry_after_parse(s, 1700000000000, &ms))
        require(ms >= 0 && ms <= HTTP_RETRY_AFTER_MAX);
    if (http_rate_reset_parse(s, 1700000000000, &ms))
        require(ms >= 0 && ms <= HTTP_RETRY_AFTER_MAX);
    if (http_rate_parse(s, &n, &window))
        require(size > 0);
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(64 * KIB);
    if (http_warning_parse(s, &text)) {
        require(text.n > 0 && text.n < size);
        for (size_t i = 0; i < text.n; i++)
            require((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f);
    }
    return 0;
}
