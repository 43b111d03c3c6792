/* tests/unit/daemon/config_form.c - what a text must look like, and how a hostile one is shown. */
#include "config_fixture.h"

static void test_daemon_config_form__knows_the_form_of_each_text(void **state)
{
    (void)state;
    static const struct {
        const struct config_form *form;
        const char *text;
        bool fits;
    } rows[] = {
        {&config_form_address, "localhost:5000", true},
        {&config_form_address, ":0", true},
        {&config_form_address, "127.0.0.1:65535", true},
        {&config_form_address, "[::1]:80", true},
        {&config_form_address, "unix:/run/x", true},
        {&config_form_address, "fd:3", true},
        {&config_form_address, "localhost", false},
        {&config_form_address, "::1:80", false},
        {&config_form_address, "[::1]", false},
        {&config_form_address, "[x]:80", false},
        {&config_form_address, "[]:80", false},
        {&config_form_address, "a:65536", false},
        {&config_form_address, "a:-1", false},
        {&config_form_address, "a b:1", false},
        {&config_form_address, "unix:", false},
        {&config_form_address, "fd:x", false},
        {&config_form_address, "http://a:1", false},
        {&config_form_address, "", false},
        {&config_form_address, "a:", false},
        {&config_form_header, "X-A: b", true},
        {&config_form_header, "X-A:b", true},
        {&config_form_header, "X-A:", false},
        {&config_form_header, "X A: b", false},
        {&config_form_header, ": b", false},
        {&config_form_header, "X-A", false},
        {&config_form_header, "content-LENGTH: 0", false},
        {&config_form_header, "Transfer-Encoding: chunked", false},
        {&config_form_header, "X\xc3\xa9: b", false},
        {&config_form_mode, "0660", true},
        {&config_form_mode, "777", true},
        {&config_form_mode, "0600", true},
        {&config_form_mode, "0060", false},
        {&config_form_mode, "0668", false},
        {&config_form_mode, "1660", false},
        {&config_form_mode, "66", false},
        {&config_form_mode, "rw-rw----", false},
        {&config_form_mode, "", false},
        {&config_form_prefix, "/a", true},
        {&config_form_prefix, "/a/b-c_d.e~1", true},
        {&config_form_prefix, "/", false},
        {&config_form_prefix, "a", false},
        {&config_form_prefix, "/a/", false},
        {&config_form_prefix, "//a", false},
        {&config_form_prefix, "/a/../b", false},
        {&config_form_prefix, "/./a", false},
        {&config_form_prefix, "/a?b", false},
        {&config_form_prefix, "/a%2fb", false},
        {&config_form_prefix, "/a b", false},
        {&config_form_prefix, "", false},
        {&config_form_proxy, "10.0.0.1", true},
        {&config_form_proxy, "10.0.0.0/8", true},
        {&config_form_proxy, "::1", true},
        {&config_form_proxy, "fd00::/128", true},
        {&config_form_proxy, "0.0.0.0/0", true},
        {&config_form_proxy, "10.0.0.0/33", false},
        {&config_form_proxy, "fd00::/129", false},
        {&config_form_proxy, "10.0.0", false},
        {&config_form_proxy, "localhost", false},
        {&config_form_proxy, "10.0.0.0/", false},
        {&config_form_proxy, "/8", false},
        {&config_form_proxy, "10.0.0.1/8/8", false},
        {&config_form_media_type, "application/octet-stream", true},
        {&config_form_media_type, "application", false},
        {&config_form_media_type, "a/b/c", false},
        {&config_form_media_type, "a/b; c=d", false},
        {&config_form_platform, "linux/amd64", true},
        {&config_form_platform, "linux/arm/v7", true},
        {&config_form_platform, "linux", false},
        {&config_form_platform, "a/b/c/d", false},
        {&config_form_platform, "a//b", false},
        {&config_form_window, "22:00-06:00", true},
        {&config_form_window, "00:00-23:59", true},
        {&config_form_window, "1:00-2:00", false},
        {&config_form_window, "10:60-11:00", false},
        {&config_form_window, "01:00-01:00", false},
        {&config_form_window, "01:00", false},
        {&config_form_window, "01:00-", false},
        {&config_form_url, "https://example.com/x", true},
        {&config_form_url, "http://", true},
        {&config_form_url, "ftp://x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, rows[i].form->fits(str_from(rows[i].text)) == rows[i].fits);
}

static void test_daemon_config_form__tells_clean_text_from_other_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool clean;
    } rows[] = {
        {"", true},
        {"a b", true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\xa2", true},
        {"\xef\xbf\xbd", true},
        {"a\nb", false},
        {"\t", false},
        {"\x7f", false},
        {"\xc2\x9b", false},
        {"\xff", false},
        {"\xc3", false},
        {"\xc0\xaf", false},
        {"\xe0\x80\xaf", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xef\xbf\xbe", false},
        {"\xef\xbf\xbf", false},
        {"\xe2\x82", false},
        {"\xe2\x82x", false},
        {"\xe2\x82x", false},
        {"\x80", false},
        {"\xf8\x88\x80\x80\x80", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, config_text_clean(str_from(rows[i].text)) == rows[i].clean);
    /* Cut wherever it falls, and never within a character. */
    char shown[CONFIG_SHOWN], text[200];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'a', lead);
        for (size_t i = lead; i + 3 <= sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        config_show((berth_str){text, lead + 150}, shown);
        CHECK_ROW(lead, config_text_clean(str_from(shown)));
        CHECK_ROW(lead, str_ends(str_from(shown), STR("\xe2\x82\xac...")));
    }
}

RUN_TESTS(CASE(test_daemon_config_form__knows_the_form_of_each_text),
          CASE(test_daemon_config_form__tells_clean_text_from_other_bytes))
