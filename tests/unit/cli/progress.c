/* tests/unit/cli/progress.c - what stands on standard error, at times that the test chooses. */
#include "test.h"

#include "cli/progress.h"

static char *printed;
static size_t printed_size, seen;
static FILE *out;

static struct progress *begin(enum progress_form form, unsigned width)
{
    seen = 0;
    out = open_memstream(&printed, &printed_size);
    return progress_new_with(form, "blob get", out, width, false);
}

static int end(void **state)
{
    (void)state;
    if (out)
        fclose(out);
    out = NULL;
    mem_free(steal(&printed));
    return 0;
}

/* What was printed since the last time. */
static const char *news(void)
{
    fflush(out);
    const char *at = printed + seen;
    seen = printed_size;
    return at;
}

/* The test's own times, in ms, are far ahead of the clock's, which then changes nothing. */
#define HOUR ((int64_t)1000 * 3600 * 24 * 365 * 100)

static void test_cli_progress__prints_a_line_at_intervals(void **state)
{
    (void)state;
    struct progress *p = begin(PROGRESS_LINES, 80);
    progress_tick(p, HOUR);
    struct progress_item *i = progress_add(p, "sha256:\x1b[1m", 20 << 20);
    news();
    for (int64_t second = 1; second <= 4; second++) {
        progress_at(i, (uint64_t)second << 20);
        progress_tick(p, HOUR + second * 1000);
    }
    assert_string_equal(news(), "");
    progress_at(i, 5 << 20);
    progress_tick(p, HOUR + 5000);
    const char *line = news();
    CHECK(strstr(line, "berth blob get: sha256:?[1m: 5.0 MiB of 20.0 MiB, 1.0 MiB/s, 15s left\n") == line);
    progress_tick(p, HOUR + 9900);
    assert_string_equal(news(), "");
    progress_at(i, 10 << 20);
    progress_tick(p, HOUR + 10000);
    CHECK(strstr(news(), "10.0 MiB of 20.0 MiB, "));
    progress_free(p);
}

static void test_cli_progress__sums_up_several(void **state)
{
    (void)state;
    struct progress *p = begin(PROGRESS_LINES, 80);
    progress_tick(p, HOUR);
    struct progress_item *a = progress_add(p, "a", 1 << 20), *b = progress_add(p, "b", 1 << 20);
    progress_at(a, 1 << 20);
    progress_end(a);
    progress_end(a); /* once is enough */
    progress_at(b, 1 << 19);
    progress_tick(p, HOUR + 5000);
    fflush(out);
    CHECK(strstr(printed, "berth blob get: 1 of 2 done, 1.5 MiB of 2.0 MiB, ") != NULL);
    progress_total(b, PROGRESS_UNKNOWN);
    progress_tick(p, HOUR + 10000);
    fflush(out);
    CHECK(strstr(printed, "1 of 2 done, 1.5 MiB, ") || strstr(printed, "1 of 2 done, 1.5 MiB\n"));
    progress_free(p);
}

/* What was there before moves nothing; what is lost has to come again. */
static void test_cli_progress__counts_no_bytes_that_were_there(void **state)
{
    (void)state;
    struct progress *p = begin(PROGRESS_LINES, 80);
    progress_tick(p, HOUR);
    struct progress_item *i = progress_add(p, "a", 20 << 20);
    progress_found(i, 10 << 20);
    progress_at(i, 10 << 20);
    progress_tick(p, HOUR + 500);
    progress_at(i, 15 << 20);
    progress_tick(p, HOUR + 5000);
    CHECK(strstr(news(), ": a: 15.0 MiB of 20.0 MiB, 1.0 MiB/s, 5s left\n"));
    progress_found(i, 0);
    progress_at(i, 0);
    progress_at(i, 5 << 20);
    progress_tick(p, HOUR + 10000);
    CHECK(strstr(news(), ": a: 5.0 MiB of 20.0 MiB, "));
    progress_free(p);
}

static void test_cli_progress__draws_bars_within_the_width(void **state)
{
    (void)state;
    static const unsigned widths[] = {200, 80, 40, 10};
    for (size_t k = 0; k < COUNT(widths); k++) {
        struct progress *p = begin(PROGRESS_BARS, widths[k]);
        progress_tick(p, HOUR);
        struct progress_item *i = progress_add(p, "layer", 1000);
        progress_at(i, 500);
        progress_tick(p, HOUR + 1000);
        fflush(out);
        const char *row = strstr(printed, "layer");
        CHECK_ROW(k, row && strlen(row) < widths[k]);
        CHECK_ROW(k, widths[k] < 80 || strstr(row, "[==========>         ]  50%  500 B of 1000 B"));
        progress_free(p);
        fflush(out);
        CHECK_ROW(k, strcmp(printed + printed_size - 4, "\r\033[J") == 0); /* gone at the end */
        end(NULL);
    }
}

static void test_cli_progress__draws_many_in_few_rows(void **state)
{
    (void)state;
    struct progress *p = begin(PROGRESS_BARS, 100);
    progress_tick(p, HOUR);
    for (size_t k = 0; k < 50; k++)
        progress_add(p, "layer", 1000);
    news();
    progress_tick(p, HOUR + 1000);
    const char *picture = news();
    size_t rows = 0;
    for (const char *at = picture; (at = strstr(at, "layer")); at++)
        rows++;
    CHECK(rows == 8 && strstr(picture, "0 of 50 done, 0 B of 48.8 KiB"));
    progress_say(p, "%s is new", "x");
    CHECK(strstr(news(), "\033[8A\r\033[Jberth blob get: x is new\n"));
    progress_free(p);
}

static void test_cli_progress__says_nothing_when_asked_to(void **state)
{
    (void)state;
    struct progress *p = begin(PROGRESS_OFF, 80);
    struct progress_item *i = progress_add(p, "layer", 1000);
    progress_at(i, 1000);
    progress_end(i);
    progress_say(p, "x");
    progress_tick(p, HOUR);
    progress_free(p);
    fflush(out);
    assert_int_equal(printed_size, 0);
    progress_at(NULL, 1); /* without memory there are none */
    progress_end(NULL);
    progress_total(NULL, 1);
    progress_add(NULL, "x", 1);
    progress_free(NULL);
}

static void test_cli_progress__has_words_for_sizes_and_times(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *bytes, *seconds;
    } rows[] = {{0, "0 B", "0s"},
                {59, "59 B", "59s"},
                {60, "60 B", "1m00s"},
                {1023, "1023 B", "17m03s"},
                {1024, "1.0 KiB", "17m04s"},
                {3600, "3.5 KiB", "1h00m"},
                {1024 * 1024 - 1, "1023.9 KiB", "291h16m"},
                {1024 * 1024, "1.0 MiB", "291h16m"},
                {UINT64_MAX, "15.9 EiB", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(100);
        progress_bytes(&b, rows[i].n);
        CHECK_STR_ROW(i, berth_buf_str(&b), str_from(rows[i].bytes));
        berth_buf_reset(&b);
        progress_seconds(&b, rows[i].n);
        if (rows[i].seconds)
            CHECK_STR_ROW(i, berth_buf_str(&b), str_from(rows[i].seconds));
    }
}

#define ENDED(fn) cmocka_unit_test_teardown(fn, end)
RUN_TESTS(ENDED(test_cli_progress__prints_a_line_at_intervals), ENDED(test_cli_progress__sums_up_several),
          ENDED(test_cli_progress__counts_no_bytes_that_were_there),
          ENDED(test_cli_progress__draws_bars_within_the_width),
          ENDED(test_cli_progress__draws_many_in_few_rows),
          ENDED(test_cli_progress__says_nothing_when_asked_to),
          ENDED(test_cli_progress__has_words_for_sizes_and_times))
