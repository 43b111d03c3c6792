/* tests/unit/registry/audit.c - a file that takes no more, or that ended within a line: nothing is lost
 * without a word, and what comes later stands on lines of its own. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const char *content(int fd)
{
    static char text[1024];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    CHECK(n >= 0);
    text[n] = '\0';
    return text;
}

/* Files take so many bytes from now on; what goes beyond is cut and then refused, as by a full disk. */
static void limit_files(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static struct audit audit_of(int fd)
{
    struct audit a = {0};
    audit_init(&a);
    audit_to(&a, fd);
    return a;
}

static void test_registry_audit__ends_a_line_that_was_cut_before_the_next(void **state)
{
    (void)state;
    int fd = memfd_create("audit", MFD_CLOEXEC);
    struct audit a = audit_of(fd);
    audit_append(&a, STR("\n{one}\n"));
    limit_files(10);
    audit_append(&a, STR("\n{two}\n"));
    audit_append(&a, STR("\n{three}\n")); /* not a byte of it */
    limit_files(RLIM_INFINITY);
    assert_string_equal(content(fd), "{one}\n{two");
    audit_append(&a, STR("\n{four}\n"));
    audit_append(&a, STR("\n{five}\n"));
    assert_string_equal(content(fd), "{one}\n{two\n{four}\n{five}\n");
    assert_int_equal(a.lines_lost, 2);
    audit_done(&a);
    close(fd);
}

static void test_registry_audit__goes_on_after_what_an_earlier_server_left(void **state)
{
    (void)state;
    static const struct {
        const char *left, *then;
    } rows[] = {{"", "{a}\n"}, {"{x}\n", "{x}\n{a}\n"}, {"{x}\n{cu", "{x}\n{cu\n{a}\n"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = memfd_create("audit", MFD_CLOEXEC);
        CHECK(write(fd, rows[i].left, strlen(rows[i].left)) == (ssize_t)strlen(rows[i].left));
        struct audit a = audit_of(fd);
        audit_append(&a, STR("\n{a}\n"));
        CHECK_STR_ROW(i, str_from(content(fd)), str_from(rows[i].then));
        audit_done(&a);
        close(fd);
    }
}

static void test_registry_audit__says_at_times_how_many_lines_are_lost(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), good = memfd_create("audit", MFD_CLOEXEC);
    struct audit a = audit_of(full);
    site_log();
    for (int i = 0; i < 100; i++)
        audit_append(&a, STR("\n{}\n"));
    const char *said = site_log();
    CHECK(strstr(said, " error the audit log loses lines lost=1 reason=\"No space left on device\"\n") !=
          NULL);
    CHECK(strchr(said, '\n')[1] == '\0');
    a.said_ms -= AUDIT_SAY_MS;
    audit_append(&a, STR("\n{}\n"));
    CHECK(strstr(site_log(), "the audit log loses lines lost=101") != NULL);
    audit_append(&a, STR_NULL); /* no memory for it */
    assert_string_equal(site_log(), "");

    audit_to(&a, good);
    audit_append(&a, STR("\n{}\n"));
    CHECK(strstr(site_log(), " warn  the audit log is written again lost=102\n") != NULL);
    audit_append(&a, STR("\n{}\n"));
    assert_string_equal(site_log(), "");

    /* to and fro: once in a while, and nothing is forgotten */
    audit_to(&a, full);
    audit_append(&a, STR("\n{}\n"));
    audit_to(&a, good);
    audit_append(&a, STR("\n{}\n"));
    assert_string_equal(site_log(), "");
    a.said_ms -= AUDIT_SAY_MS;
    audit_append(&a, STR("\n{}\n"));
    CHECK(strstr(site_log(), "the audit log is written again lost=1\n") != NULL);

    audit_append(&a, STR_NULL);
    audit_done(&a);
    CHECK(strstr(site_log(), " error the audit log has lost lines lost=1\n") != NULL);
    assert_int_equal(a.lines_lost, 104);
    close(full);
    close(good);
}

static void test_registry_audit__refuses_no_write_for_a_line_it_loses(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    registry_set_audit(site.reg, full);
    push_image("a", "v1", "");
    CHECK(strstr(site_log(), "the audit log loses lines") != NULL);
    assert_int_equal(get("/metrics"), 200);
    CHECK(strstr(answer_text(), "\nberth_audit_lines_lost_total 2\n") != NULL);
    registry_set_audit(site.reg, -1);
    close(full);
}

RUN_TESTS(SITE_TEST(test_registry_audit__ends_a_line_that_was_cut_before_the_next),
          SITE_TEST(test_registry_audit__goes_on_after_what_an_earlier_server_left),
          SITE_TEST(test_registry_audit__says_at_times_how_many_lines_are_lost),
          SITE_TEST(test_registry_audit__refuses_no_write_for_a_line_it_loses))
