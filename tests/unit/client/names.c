/* tests/unit/client/names.c */
#include "fixture.h"

/* sha256 of "{}" */
#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define MANIFEST                                                                                             \
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n"                        \
    "Content-Length: 2\r\n\r\n{}"
#define PAGE                                                                                                 \
    "HTTP/1.1 200 OK\r\nContent-Type: "                                                                      \
    "application/json\r\n\r\n{\"name\":\"a\",\"tags\":[\"1_x\",\"no\",\"2_y\"]}"

/* Both ways of it; "no" it refuses, and "same" it leaves alone. */
static int exchange_bytes(const char *tag, char **ret_tag, char from, char to)
{
    if (strcmp(tag, "no") == 0)
        return 1;
    if (strcmp(tag, "same") == 0)
        return 0;
    *ret_tag = str_dup(str_from(tag));
    for (char *c = *ret_tag; c && *c; c++)
        if (*c == from)
            *c = to;
    return 0;
}

static int to_registry(void *arg, const char *tag, char **ret_tag)
{
    ++*(int *)arg;
    return exchange_bytes(tag, ret_tag, '+', '_');
}

static int from_registry(void *arg, const char *tag, char **ret_tag)
{
    (void)arg;
    return exchange_bytes(tag, ret_tag, '_', '+');
}

static berth_client_options options(int *asked)
{
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.tag_to_registry = to_registry;
    o.tag_from_registry = from_registry;
    o.tag_name_arg = asked;
    return o;
}

/* C102 */
static void test_client_names__tags_go_under_the_registrys_names(void **state)
{
    (void)state;
    static const char *const tags[] = {"3+z", "same"};
    berth_manifest_put_options more = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    more.media_type = "application/vnd.example+json";
    more.tags = tags;
    more.n_tags = COUNT(tags);
    int n = 0;
    const berth_client_options o = options(&n);
    struct script s = {.answers = {MANIFEST, MANIFEST, MANIFEST, CREATED, CREATED, CREATED, CREATED, CREATED,
                                   MANIFEST, CREATED, ACCEPTED EMPTY}};
    script_begin(&s, &o);
    berth_client *c = s.client;
    berth_call *call = NULL;
    CHECK_OK(berth_manifest_get(c, "a", "1+x", BERTH_ACCEPT_ANY, NULL, &test_err));
    CHECK_OK(berth_manifest_head(c, "a", "1+x", BERTH_ACCEPT_ANY, NULL, &test_err));
    CHECK_OK(berth_manifest_get(c, "a", DIGEST, BERTH_ACCEPT_ANY, NULL, &test_err));
    CHECK(n == 2);
    CHECK_OK(berth_manifest_put(c, "a", "1+x", "{}", 2, &more, NULL, &test_err));
    more.n_tags = 0;
    CHECK_OK(berth_manifest_put(c, "a", "1+x", "{}", 2, &more, NULL, &test_err));
    CHECK_OK(berth_tag_add(c, "a", "1+x", "4+z", NULL, &test_err));
    CHECK_OK(berth_tag_delete(c, "a", "1+x", false, &test_err));
    CHECK(berth_manifest_get(c, "a", "no", BERTH_ACCEPT_ANY, &call, &test_err) == BERTH_E_CANCELLED && !call);
    CHECK(berth_tag_add(c, "a", "v1", "no", &call, &test_err) == BERTH_E_CANCELLED && !call);
    CHECK(berth_tag_delete(c, "a", "1/x", false, &test_err) == BERTH_E_INVALID);
    script_end(&s);
    CHECK(was(&s, 0, "GET /v2/a/manifests/1_x ", NULL) && was(&s, 1, "HEAD /v2/a/manifests/1_x ", NULL));
    CHECK(was(&s, 2, "GET /v2/a/manifests/" DIGEST " ", NULL));
    CHECK(was(&s, 3, "PUT /v2/a/manifests/" DIGEST "?tag=3_z&tag=same&tag=1_x ", NULL));
    CHECK(was(&s, 4, "PUT /v2/a/manifests/1_x ", NULL) && was(&s, 5, "PUT /v2/a/manifests/same ", NULL));
    CHECK(was(&s, 6, "PUT /v2/a/manifests/3_z ", NULL) && was(&s, 7, "PUT /v2/a/manifests/1_x ", NULL));
    CHECK(was(&s, 8, "GET /v2/a/manifests/1_x ", NULL) && was(&s, 9, "PUT /v2/a/manifests/4_z ", NULL));
    CHECK(was(&s, 10, "DELETE /v2/a/manifests/1_x ", NULL));
}

static int collect(void *arg, const char *tag)
{
    berth_buf_addf(arg, "%s ", tag);
    return 0;
}

static void test_client_names__tags_come_back_under_the_programs_names(void **state)
{
    (void)state;
    int n = 0;
    const berth_client_options o = options(&n);
    berth_list_options from = BERTH_LIST_OPTIONS_INIT;
    from.last = "0+w";
    CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(1000);
    struct script s = {.answers = {PAGE}};
    script_begin(&s, &o);
    CHECK(berth_tag_list_with(s.client, "a", &from, collect, &got, NULL, &test_err) == BERTH_E_CANCELLED);
    CHECK_STR(berth_buf_str(&got), STR("1+x "));
    CHECK(n == 1);
    script_end(&s);
    CHECK(was(&s, 0, "GET /v2/a/tags/list?n=1000&last=0_w ", NULL));
}

/* Blobs have digests for names, and a manifest is deleted by one. */
static void test_client_names__what_is_no_tag_is_not_asked_for(void **state)
{
    (void)state;
    int n = 0;
    const berth_client_options o = options(&n);
    struct script s = {.answers = {NULL}};
    script_begin(&s, &o);
    CHECK(berth_blob_head(s.client, "a", "no", NULL, &test_err) == BERTH_E_INVALID);
    CHECK(berth_manifest_delete(s.client, "a", "no", &test_err) == BERTH_E_INVALID);
    CHECK(berth_manifest_get(s.client, "a", "sha256:1", BERTH_ACCEPT_ANY, NULL, &test_err) ==
          BERTH_E_INVALID);
    CHECK(n == 0);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_names__tags_go_under_the_registrys_names),
          TEST(test_client_names__tags_come_back_under_the_programs_names),
          TEST(test_client_names__what_is_no_tag_is_not_asked_for))
