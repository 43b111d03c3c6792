/* tests/unit/oci/image_ref.c - references as people write them. C182 to C193 and the tests named in the rows
 * are those of gardener's reference model (oci_model_test.py, oci_util_test.py). */
#include "test.h"

#include <berth/reference.h>

#include "oci/reference.h"
#include "util/fault.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define OTHER  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HUB    "registry-1.docker.io"

static void check_text(size_t row, const char *what, const char *have, const char *want)
{
    if (have == want || (have && want && strcmp(have, want) == 0))
        return;
    fail_msg("row %zu: %s is '%s', wanted '%s'", row, what, have ? have : "(NULL)", want ? want : "(NULL)");
}

struct forms {
    const char *in, *normalised, *registry, *netloc, *repository, *without_tag, *tag, *symbolic_tag,
        *digest_tag;
    berth_tag_type type;
};

static void check_forms(size_t row, const berth_ref *ref, const struct forms *want)
{
    check_text(row, "original", ref->original, want->in);
    check_text(row, "normalised", ref->normalised, want->normalised);
    check_text(row, "registry", ref->registry, want->registry);
    check_text(row, "netloc", ref->netloc, want->netloc);
    check_text(row, "repository", ref->repository, want->repository);
    check_text(row, "without_tag", ref->without_tag, want->without_tag);
    check_text(row, "tag", ref->tag, want->tag);
    check_text(row, "symbolic_tag", ref->symbolic_tag, want->symbolic_tag);
    check_text(row, "digest_tag", ref->digest_tag, want->digest_tag);
    CHECK_ROW(row, ref->tag_type == want->type);
}

static void test_oci_image_ref__knows_every_form_of_a_reference(void **state)
{
    (void)state;
    static const struct forms rows[] = {
        /* C182; test_original_image_reference, test_tag, test_normalised_…, test_name, test_netloc,
         * test_ref_without_tag, test_str, test_tag_type */
        {"alpine:3", HUB "/library/alpine:3", "docker.io", HUB, "library/alpine", HUB "/library/alpine", "3",
         "3", NULL, BERTH_TAG_SYMBOLIC},
        /* C185 */
        {"alpine@" DIGEST, HUB "/library/alpine@" DIGEST, "docker.io", HUB, "library/alpine",
         HUB "/library/alpine", DIGEST, NULL, DIGEST, BERTH_TAG_DIGEST},
        /* no tag is made up, at Docker Hub neither */
        {"alpine", HUB "/library/alpine", "docker.io", HUB, "library/alpine", HUB "/library/alpine", NULL,
         NULL, NULL, BERTH_TAG_NONE},
        /* C186, C188 */
        {"example.org/path:tag", "example.org/path:tag", "example.org", "example.org", "path",
         "example.org/path", "tag", "tag", NULL, BERTH_TAG_SYMBOLIC},
        {"example.org/path@" DIGEST, "example.org/path@" DIGEST, "example.org", "example.org", "path",
         "example.org/path", DIGEST, NULL, DIGEST, BERTH_TAG_DIGEST},
        {"example.org/path:symbolic-tag", "example.org/path:symbolic-tag", "example.org", "example.org",
         "path", "example.org/path", "symbolic-tag", "symbolic-tag", NULL, BERTH_TAG_SYMBOLIC},
        /* C187 */
        {"example.org:1234/path:tag", "example.org:1234/path:tag", "example.org:1234", "example.org:1234",
         "path", "example.org:1234/path", "tag", "tag", NULL, BERTH_TAG_SYMBOLIC},
        {"example.org:1234/path@" DIGEST, "example.org:1234/path@" DIGEST, "example.org:1234",
         "example.org:1234", "path", "example.org:1234/path", DIGEST, NULL, DIGEST, BERTH_TAG_DIGEST},
        {"example.org:1234/path", "example.org:1234/path", "example.org:1234", "example.org:1234", "path",
         "example.org:1234/path", NULL, NULL, NULL, BERTH_TAG_NONE},
        /* test_netloc: its text has these very braces, and is a reference all the same */
        {"example.org:1234/path@sha256:{example_digest}", "example.org:1234/path@sha256:{example_digest}",
         "example.org:1234", "example.org:1234", "path", "example.org:1234/path", "sha256:{example_digest}",
         NULL, "sha256:{example_digest}", BERTH_TAG_DIGEST},
        /* C189 */
        {"eu.gcr.io/project/foo", "eu.gcr.io/project/foo", "eu.gcr.io", "eu.gcr.io", "project/foo",
         "eu.gcr.io/project/foo", NULL, NULL, NULL, BERTH_TAG_NONE},
        {"eu.gcr.io/example/foo", "eu.gcr.io/example/foo", "eu.gcr.io", "eu.gcr.io", "example/foo",
         "eu.gcr.io/example/foo", NULL, NULL, NULL, BERTH_TAG_NONE},
        {"eu.gcr.io/project/foo:bar", "eu.gcr.io/project/foo:bar", "eu.gcr.io", "eu.gcr.io", "project/foo",
         "eu.gcr.io/project/foo", "bar", "bar", NULL, BERTH_TAG_SYMBOLIC},
        /* C190 */
        {"my/image:1.2.3", HUB "/my/image:1.2.3", "docker.io", HUB, "my/image", HUB "/my/image", "1.2.3",
         "1.2.3", NULL, BERTH_TAG_SYMBOLIC},
        /* C191; and one word of it is below library/, as docker has it: gardener's "alpine" is no repository
         */
        {"docker.io/my/image:1", HUB "/my/image:1", "docker.io", HUB, "my/image", HUB "/my/image", "1", "1",
         NULL, BERTH_TAG_SYMBOLIC},
        {"docker.io/alpine:3.20", HUB "/library/alpine:3.20", "docker.io", HUB, "library/alpine",
         HUB "/library/alpine", "3.20", "3.20", NULL, BERTH_TAG_SYMBOLIC},
        {"index.docker.io/alpine", HUB "/library/alpine", "docker.io", HUB, "library/alpine",
         HUB "/library/alpine", NULL, NULL, NULL, BERTH_TAG_NONE},
        {HUB "/library/alpine:3", HUB "/library/alpine:3", "docker.io", HUB, "library/alpine",
         HUB "/library/alpine", "3", "3", NULL, BERTH_TAG_SYMBOLIC},
        {"registry.example/alpine", "registry.example/alpine", "registry.example", "registry.example",
         "alpine", "registry.example/alpine", NULL, NULL, NULL, BERTH_TAG_NONE},
        /* C192 */
        {"alpine:3@" DIGEST, HUB "/library/alpine:3@" DIGEST, "docker.io", HUB, "library/alpine",
         HUB "/library/alpine", DIGEST, "3", DIGEST, BERTH_TAG_DIGEST},
        {"example.org:1/a/b:t@" DIGEST, "example.org:1/a/b:t@" DIGEST, "example.org:1", "example.org:1",
         "a/b", "example.org:1/a/b", DIGEST, "t", DIGEST, BERTH_TAG_DIGEST},
        /* hosts */
        {"localhost/foo:1", "localhost/foo:1", "localhost", "localhost", "foo", "localhost/foo", "1", "1",
         NULL, BERTH_TAG_SYMBOLIC},
        {"localhost:5000/foo", "localhost:5000/foo", "localhost:5000", "localhost:5000", "foo",
         "localhost:5000/foo", NULL, NULL, NULL, BERTH_TAG_NONE},
        {"registry:5000/foo:1", "registry:5000/foo:1", "registry:5000", "registry:5000", "foo",
         "registry:5000/foo", "1", "1", NULL, BERTH_TAG_SYMBOLIC},
        {"127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "127.0.0.1:5000", "a/b",
         "127.0.0.1:5000/a/b", "1", "1", NULL, BERTH_TAG_SYMBOLIC},
        {"[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000", "[::1]:5000", "a", "[::1]:5000/a", "1", "1", NULL,
         BERTH_TAG_SYMBOLIC},
        {"[2001:DB8::1]/a", "[2001:db8::1]/a", "[2001:db8::1]", "[2001:db8::1]", "a", "[2001:db8::1]/a", NULL,
         NULL, NULL, BERTH_TAG_NONE},
        {"[::ffff:192.0.2.1]:1/a", "[::ffff:192.0.2.1]:1/a", "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1",
         "a", "[::ffff:192.0.2.1]:1/a", NULL, NULL, NULL, BERTH_TAG_NONE},
        {"Example.ORG:1234/path:Tag", "example.org:1234/path:Tag", "example.org:1234", "example.org:1234",
         "path", "example.org:1234/path", "Tag", "Tag", NULL, BERTH_TAG_SYMBOLIC},
        {"Docker.io/alpine", HUB "/library/alpine", "docker.io", HUB, "library/alpine", HUB "/library/alpine",
         NULL, NULL, NULL, BERTH_TAG_NONE},
        /* without a '/' there is no host: docker's rule */
        {"localhost:5000", HUB "/library/localhost:5000", "docker.io", HUB, "library/localhost",
         HUB "/library/localhost", "5000", "5000", NULL, BERTH_TAG_SYMBOLIC},
        {"example.org", HUB "/library/example.org", "docker.io", HUB, "library/example.org",
         HUB "/library/example.org", NULL, NULL, NULL, BERTH_TAG_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT, again = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(rows[i].in, &ref, &test_err) == BERTH_OK);
        check_forms(i, &ref, &rows[i]);
        CHECK_ROW(i, berth_ref_parse(ref.normalised, &again, &test_err) == BERTH_OK);
        struct forms want = rows[i];
        want.in = ref.normalised;
        check_forms(i, &again, &want);
        CHECK_ROW(i, berth_ref_equal(&ref, &again));
    }
}

/* C183; test_eq */
static void test_oci_image_ref__is_equal_by_its_normalised_form(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"alpine:3", HUB "/library/alpine:3", true},
        {"alpine:3", "alpine:3", true},
        {HUB "/library/alpine:3", HUB "/library/alpine:3", true},
        {"alpine:3", "docker.io/alpine:3", true},
        {"EXAMPLE.org/path:tag1", "example.org/path:tag1", true},
        {"alpine:3", "example.org/path:tag1", false},
        {"alpine:3", "alpine", false},
        {"alpine:3", "alpine:3@" DIGEST, false},
        {"alpine:a", "alpine:A", false},
        {"example.org/a", "example.org:443/a", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref a = BERTH_REF_INIT, b = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(rows[i].a, &a, &test_err) == BERTH_OK);
        CHECK_ROW(i, berth_ref_parse(rows[i].b, &b, &test_err) == BERTH_OK);
        CHECK_ROW(i, berth_ref_equal(&a, &b) == rows[i].equal && berth_ref_equal(&b, &a) == rows[i].equal);
        CHECK_ROW(i, berth_ref_equal(&a, &a) && berth_ref_equal(&b, &b));
        CHECK_ROW(i, (berth_ref_hash(&a) == berth_ref_hash(&b)) == rows[i].equal);
        int order = berth_ref_compare(&a, &b), other = berth_ref_compare(&b, &a);
        CHECK_ROW(i, (order == 0) == rows[i].equal && (order < 0) == (other > 0));
    }
}

static void test_oci_image_ref__a_copy_lives_by_itself(void **state)
{
    (void)state;
    static const char *const rows[] = {"alpine", "docker.io/a/b:3", "[::1]:5000/docker.io:v1@" DIGEST,
                                       "a.example/b@x"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref a = BERTH_REF_INIT, b = BERTH_REF_INIT, again = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(rows[i], &a, &test_err) == BERTH_OK);
        CHECK_ROW(i, berth_ref_copy(&a, &b, &test_err) == BERTH_OK);
        memset((char *)(uintptr_t)a.original, 'x', strlen(a.original));
        berth_ref_done(&a);
        CHECK_ROW(i, berth_ref_parse(rows[i], &again, &test_err) == BERTH_OK);
        const char *const have[] = {b.original,    b.normalised, b.registry,     b.netloc,    b.repository,
                                    b.without_tag, b.tag,        b.symbolic_tag, b.digest_tag};
        const char *const want[] = {again.original, again.normalised,   again.registry,
                                    again.netloc,   again.repository,   again.without_tag,
                                    again.tag,      again.symbolic_tag, again.digest_tag};
        for (size_t k = 0; k < COUNT(have); k++)
            CHECK_STR_ROW(i, str_from(have[k]), str_from(want[k]));
        CHECK_ROW(i, b.tag_type == again.tag_type);
    }
}

/* C184, C185; test_parsed_digest_tag */
static void test_oci_image_ref__checks_a_digest_when_it_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *in, *algorithm, *hex, *oci_code, *says;
    } rows[] = {
        {"example.org/path@" DIGEST, "sha256", HEX64, NULL, NULL},
        {"alpine@" DIGEST, "sha256", HEX64, NULL, NULL},
        {"alpine:3@" DIGEST, "sha256", HEX64, NULL, NULL},
        {"alpine@sha512:" HEX64 HEX64, "sha512", HEX64 HEX64, NULL, NULL},
        {"alpine:3", NULL, NULL, "", "'" HUB "/library/alpine:3' has no digest"},
        {"alpine", NULL, NULL, "", "'" HUB "/library/alpine' has no digest"},
        {"example.org:1234/path@sha256:{example_digest}", NULL, NULL, "DIGEST_INVALID",
         "'sha256:{example_digest}' is not a digest"},
        {"alpine@foo", NULL, NULL, "DIGEST_INVALID", "'foo' is not a digest"},
        {"alpine@md5:abc", NULL, NULL, "DIGEST_INVALID",
         "the digest algorithm 'md5' is not supported (sha256 and sha512 are)"},
        {"alpine@sha256:abc", NULL, NULL, "DIGEST_INVALID",
         "a sha256 digest has 64 lower-case hexadecimal digits"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        berth_digest digest = {.text = "untouched"};
        CHECK_ROW(i, berth_ref_parse(rows[i].in, &ref, &test_err) == BERTH_OK);
        int e = berth_ref_digest(&ref, &digest, &test_err);
        CHECK_ROW(i, e == (rows[i].hex ? BERTH_OK : BERTH_E_INVALID));
        CHECK_ROW(i, rows[i].hex || berth_ref_digest(&ref, &digest, NULL) == BERTH_E_INVALID);
        if (rows[i].hex) {
            check_text(i, "algorithm", berth_digest_algorithm_name(&digest), rows[i].algorithm);
            check_text(i, "hex", berth_digest_hex(&digest), rows[i].hex);
        } else {
            check_text(i, "digest", digest.text, "untouched");
            check_text(i, "code", test_err.oci_code, rows[i].oci_code);
            check_text(i, "message", test_err.message, rows[i].says);
        }
    }
}

static void test_oci_image_ref__says_what_is_wrong_with_bad_input(void **state)
{
    (void)state;
    static const char space[] =
        "the reference has a space, a control character or a byte beyond ASCII at position ";
    static const struct {
        const char *in, *oci_code, *says; /* the message, or what it starts with */
    } rows[] = {
        {NULL, "", "the reference is empty"},
        {"", "", "the reference is empty"},
        {" alpine", "", space},
        {"alpine:3\n", "", space},
        {"alp\x1b[31mine", "", space},
        {"alpin\xc3\xa9", "", space},
        {"alpine\x7f", "", space},
        /* C193 */
        {"https://example.org/a:1", "", "a reference has no scheme such as https://"},
        {"docker://alpine:3", "", "a reference has no scheme such as https://"},
        {"https://user:secret@example.org/a", "",
         "a reference has nothing before its host: a name and a password are given apart"},
        {"user:se$cret@example.org/a", "DIGEST_INVALID",
         "what stands behind '@' is a digest, and has no '/'"},
        {"user:se$cret@example.org", "DIGEST_INVALID", "'example.org' is not a digest"},
        {"example.org/a?x=1", "", "a reference has no '?' and no '#'"},
        {"example.org/a#x", "", "a reference has no '?' and no '#'"},
        {"/a/b", "", "a reference does not start with '/'"},
        {"/", "", "a reference does not start with '/'"},
        /* hosts */
        {":5000/a", "", "the host ':5000' is not a host name"},
        {"-a.org/a", "", "the host '-a.org' is not a host name"},
        {"a-.org/a", "", "the host 'a-.org' is not a host name"},
        {"a..org/a", "", "the host 'a..org' is not a host name"},
        {".org/a", "", "the host '.org' is not a host name"},
        {"example.org./a", "", "the host 'example.org.' is not a host name"},
        {"my_registry:5000/a", "", "the host 'my_registry:5000' is not a host name"},
        {"../a", "", "the host '..' is not a host name"},
        {"example.org:/a", "", "the host 'example.org:' has a port that is none of 1 to 65535"},
        {"example.org:0/a", "", "the host 'example.org:0' has a port that is none of 1 to 65535"},
        {"example.org:65536/a", "", "the host 'example.org:65536' has a port that is none of 1 to 65535"},
        {"example.org:000080/a", "", "the host 'example.org:000080' has a port that is none of 1 to 65535"},
        {"example.org:http/a", "", "the host 'example.org:http' has a port that is none of 1 to 65535"},
        {"::1/a", "", "the host '::1' has several colons: an IPv6 address stands in brackets"},
        {"[::1/a", "", "the host '[::1' has no IPv6 address between its brackets"},
        {"[]/a", "", "the host '[]' has no IPv6 address between its brackets"},
        {"[127.0.0.1]/a", "", "the host '[127.0.0.1]' has no IPv6 address between its brackets"},
        {"[1::2::3]/a", "", "the host '[1::2::3]' has no IPv6 address between its brackets"},
        {"[fe80::1%25eth0]/a", "", "the host '[fe80::1%25eth0]' has no IPv6 address between its brackets"},
        {"[::1]5000/a", "", "the host '[::1]5000' goes on behind its brackets"},
        {"[::1]:/a", "", "the host '[::1]:' has a port that is none of 1 to 65535"},
        /* names */
        {"example.org/", "NAME_INVALID", "there is no name"},
        {":3", "NAME_INVALID", "there is no name"},
        {"example.org/:3", "NAME_INVALID", "there is no name"},
        {"@" DIGEST, "NAME_INVALID", "there is no name"},
        {"Alpine:3", "NAME_INVALID", "the name 'Alpine' has capital letters, and names have none"},
        {"a//b", "NAME_INVALID", "the name 'a//b' is not components of a-z and 0-9"},
        {"a/b/", "NAME_INVALID", "the name 'a/b/' is not components"},
        {"example.org/../a", "NAME_INVALID", "the name '../a' is not components"},
        {"a_/b", "NAME_INVALID", "the name 'a_/b' is not components"},
        {"a%2fb", "NAME_INVALID", "the name 'a%2fb' is not components"},
        {"a\\b", "NAME_INVALID", "the name 'a\\b' is not components"},
        {"x/foo:1/bar", "NAME_INVALID", "the name 'x/foo:1/bar' is not components"},
        {"::1", "MANIFEST_INVALID", "':1' is not a valid tag; a digest stands behind '@'"},
        /* tags */
        {"alpine:", "MANIFEST_INVALID", "there is no tag behind ':'"},
        {"alpine:@" DIGEST, "MANIFEST_INVALID", "there is no tag behind ':'"},
        {"alpine:-3", "MANIFEST_INVALID", "'-3' is not a valid tag"},
        {"alpine:3+4", "MANIFEST_INVALID", "'3+4' is not a valid tag"},
        {"alpine:" DIGEST, "MANIFEST_INVALID", "'" DIGEST "' is not a valid tag; a digest stands behind '@'"},
        /* digests, as far as they are looked at here */
        {"alpine@", "DIGEST_INVALID", "there is nothing behind '@'"},
        {"alpine@x@" DIGEST, "DIGEST_INVALID", "there is more than one '@'"},
        {"user:secret@example.org/a", "DIGEST_INVALID", "what stands behind '@' is a digest, and has no '/'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_ref ref = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(rows[i].in, &ref, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, berth_ref_parse(rows[i].in, &ref, NULL) == BERTH_E_INVALID);
        check_text(i, "code", test_err.oci_code, rows[i].oci_code);
        if (!str_starts(str_from(test_err.message), str_from(rows[i].says)))
            check_text(i, "message", test_err.message, rows[i].says);
        CHECK_ROW(i, !ref.original && !ref.normalised); /* untouched */
    }
}

/* @n bytes of @c between @before and @after. */
static const char *filled(const char *before, char c, size_t n, const char *after)
{
    static char text[2 * BERTH_REF_MAX];
    size_t at = strlen(before);
    memcpy(text, before, at);
    memset(text + at, c, n);
    memcpy(text + at + n, after, strlen(after) + 1);
    return text;
}

static void test_oci_image_ref__bounds_every_piece(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        char fill;
        size_t most;
        const char *after, *says;
    } rows[] = {
        {"example.org/", 'a', OCI_NAME_MAX, ":1", "is too long"},
        {"", 'a', OCI_NAME_MAX - 8, ":1", "is too long"}, /* "library/" belongs to it */
        {"example.org/a:", 't', OCI_TAG_MAX, "", "the tag is longer than 128 characters"},
        {"example.org/a@", 'd', 512, "", "is too long for a digest"},
        {"", 'h', 63, ".org/a", "is not a host name"},
        {"a12345678901234567890123456789012345678901234567890123456789."
         "b12345678901234567890123456789012345678901234567890123456789."
         "c12345678901234567890123456789012345678901234567890123456789."
         "d12345678901234567890123456789.",
         'h', 253 - 3 * 61 - 32 + 1, "/a", "is not a host name"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT, again = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(filled(rows[i].before, rows[i].fill, rows[i].most, rows[i].after), &ref,
                                     &test_err) == BERTH_OK);
        CHECK_ROW(i, berth_ref_parse(ref.normalised, &again, &test_err) == BERTH_OK);
        berth_ref_done(&again);
        CHECK_ROW(i, berth_ref_parse(filled(rows[i].before, rows[i].fill, rows[i].most + 1, rows[i].after),
                                     &again, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, strstr(test_err.message, rows[i].says) != NULL);
    }
    berth_ref ref = BERTH_REF_INIT;
    CHECK_CODE(berth_ref_parse(filled("", 'a', BERTH_REF_MAX + 1, ""), &ref, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.message, "the reference is longer than 2048 bytes");
}

static void test_oci_image_ref__takes_defaults_from_its_caller(void **state)
{
    (void)state;
    static const struct {
        const char *registry, *name_space, *tag, *in, *normalised;
    } rows[] = {
        {NULL, NULL, "latest", "alpine", HUB "/library/alpine:latest"},
        {NULL, NULL, "latest", "alpine:3", HUB "/library/alpine:3"},
        {NULL, NULL, "latest", "alpine@" DIGEST, HUB "/library/alpine@" DIGEST},
        {NULL, NULL, "latest", "example.org/a", "example.org/a:latest"},
        {"registry.example:5000", NULL, NULL, "alpine", "registry.example:5000/alpine"},
        {"registry.example:5000", NULL, NULL, "a/b:1", "registry.example:5000/a/b:1"},
        {"registry.example:5000", NULL, NULL, "example.org/a", "example.org/a"},
        {"registry.example:5000", NULL, NULL, "docker.io/alpine", HUB "/library/alpine"},
        {"registry.example:5000", "team", NULL, "alpine", "registry.example:5000/team/alpine"},
        {"registry.example:5000", "team/sub", "v1", "alpine", "registry.example:5000/team/sub/alpine:v1"},
        {"registry.example:5000", "team", NULL, "a/b", "registry.example:5000/a/b"},
        {"registry.example:5000", "team", NULL, "registry.example:5000/a", "registry.example:5000/a"},
        {"docker.io", NULL, NULL, "alpine", HUB "/library/alpine"},
        {"", "", "", "alpine", HUB "/library/alpine"},
        {NULL, "team", NULL, "alpine", HUB "/team/alpine"},
        {NULL, "team", NULL, "docker.io/alpine", HUB "/library/alpine"},
        {"[::1]:5000", NULL, NULL, "a", "[::1]:5000/a"},
        {"LOCALHOST", NULL, NULL, "a", "localhost/a"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
        berth_ref_options opts = BERTH_REF_OPTIONS_INIT;
        opts.default_registry = rows[i].registry;
        opts.default_namespace = rows[i].name_space;
        opts.default_tag = rows[i].tag;
        CHECK_ROW(i, berth_ref_parse_with(rows[i].in, &opts, &ref, &test_err) == BERTH_OK);
        check_text(i, "normalised", ref.normalised, rows[i].normalised);
    }
}

static void test_oci_image_ref__refuses_wrong_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *registry, *name_space, *tag, *says;
    } rows[] = {
        {"-x.org", NULL, NULL, "a default for references: the host '-x.org' is not a host name"},
        {"registry", NULL, NULL,
         "a default for references: the host 'registry' needs a dot or a port to be known as one"},
        {NULL, "Team", NULL,
         "a default for references: the name 'Team' has capital letters, and names have none"},
        {NULL, NULL, "-1", "a default for references: '-1' is not a valid tag"},
        {NULL, NULL, DIGEST,
         "a default for references: '" DIGEST "' is not a valid tag; a digest stands behind '@'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_ref ref = BERTH_REF_INIT;
        berth_ref_options opts = BERTH_REF_OPTIONS_INIT;
        opts.default_registry = rows[i].registry;
        opts.default_namespace = rows[i].name_space;
        opts.default_tag = rows[i].tag;
        CHECK_ROW(i, berth_ref_parse_with("alpine", &opts, &ref, &test_err) == BERTH_E_INVALID);
        check_text(i, "message", test_err.message, rows[i].says);
    }
}

static void test_oci_image_ref__reads_no_more_options_than_the_caller_has(void **state)
{
    (void)state;
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_ref_options opts = BERTH_REF_OPTIONS_INIT;
    opts.size = offsetof(berth_ref_options, default_tag); /* compiled against an older header */
    opts.default_registry = "registry.example";
    opts.default_tag = "never read";
    CHECK_OK(berth_ref_parse_with("a", &opts, &ref, &test_err));
    assert_string_equal(ref.normalised, "registry.example/a");
    opts.size = sizeof(opts) + 64; /* or a newer one */
    opts.default_tag = "v1";
    berth_ref_done(&ref);
    CHECK_OK(berth_ref_parse_with("a", &opts, &ref, &test_err));
    assert_string_equal(ref.normalised, "registry.example/a:v1");
}

/* C192 */
static void test_oci_image_ref__replaces_what_follows_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *in, *tag, *with_tag, *with_digest;
    } rows[] = {
        {"alpine:3", "4", HUB "/library/alpine:4", HUB "/library/alpine:3@" OTHER},
        {"alpine", "4", HUB "/library/alpine:4", HUB "/library/alpine@" OTHER},
        {"[::1]:5000/a:1@" DIGEST, "2", "[::1]:5000/a:2", "[::1]:5000/a:1@" OTHER},
        {"example.org:1/a@" DIGEST, "2", "example.org:1/a:2", "example.org:1/a@" OTHER},
        {"example.org:1/a:1", DIGEST, "example.org:1/a@" DIGEST, "example.org:1/a:1@" OTHER},
        {"example.org:1/a:1", "-", NULL, "example.org:1/a:1@" OTHER},
        {"example.org:1/a:1", "", NULL, "example.org:1/a:1@" OTHER},
        {"example.org:1/a:1", NULL, NULL, "example.org:1/a:1@" OTHER},
        {"example.org:1/a:1", "sha256:{example_digest}", NULL, "example.org:1/a:1@" OTHER},
    };
    berth_digest other;
    CHECK_OK(berth_digest_parse(OTHER, &other, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_ref_done)
        berth_ref ref = BERTH_REF_INIT, tagged = BERTH_REF_INIT, pinned = BERTH_REF_INIT;
        CHECK_ROW(i, berth_ref_parse(rows[i].in, &ref, &test_err) == BERTH_OK);
        CHECK_ROW(i, berth_ref_with_tag(&ref, rows[i].tag, &tagged, &test_err) ==
                         (rows[i].with_tag ? BERTH_OK : BERTH_E_INVALID));
        check_text(i, "with_tag", tagged.normalised, rows[i].with_tag);
        CHECK_ROW(i, berth_ref_with_digest(&ref, &other, &pinned, &test_err) == BERTH_OK);
        check_text(i, "with_digest", pinned.normalised, rows[i].with_digest);
    }
}

static void test_oci_image_ref__is_freed_as_often_as_you_like(void **state)
{
    (void)state;
    berth_ref ref = BERTH_REF_INIT;
    berth_ref_done(NULL);
    berth_ref_done(&ref);
    CHECK_OK(berth_ref_parse("alpine", &ref, &test_err));
    berth_ref_done(&ref);
    berth_ref_done(&ref);
    CHECK(!ref.original && !ref.registry && ref.tag_type == BERTH_TAG_NONE);
}

static void test_oci_image_ref__survives_the_loss_of_any_allocation(void **state)
{
    (void)state;
    CLEANUP(berth_ref_done) berth_ref source = BERTH_REF_INIT;
    CHECK_OK(berth_ref_parse("example.org:1234/team/app:v1@" DIGEST, &source, &test_err));
    bool fired = true;
    for (unsigned n = 1; fired; n++) {
        CLEANUP(berth_ref_done)
        berth_ref ref = BERTH_REF_INIT, copy = BERTH_REF_INIT, tagged = BERTH_REF_INIT;
        fault_arm(n);
        int e = berth_ref_parse("alpine:3@" DIGEST, &ref, &test_err);
        if (e == BERTH_OK)
            e = berth_ref_copy(&source, &copy, &test_err);
        if (e == BERTH_OK)
            e = berth_ref_with_tag(&source, "v2", &tagged, &test_err);
        fired = fault_disarm();
        CHECK_ROW(n, e == (fired ? BERTH_E_NOMEM : BERTH_OK));
        CHECK_ROW(n, fired || n > 2);
        CHECK_ROW(n, !fired || !tagged.original);
    }
}

RUN_TESTS(TEST(test_oci_image_ref__a_copy_lives_by_itself),
          TEST(test_oci_image_ref__knows_every_form_of_a_reference),
          TEST(test_oci_image_ref__is_equal_by_its_normalised_form),
          TEST(test_oci_image_ref__checks_a_digest_when_it_is_asked_for),
          TEST(test_oci_image_ref__says_what_is_wrong_with_bad_input),
          TEST(test_oci_image_ref__bounds_every_piece),
          TEST(test_oci_image_ref__takes_defaults_from_its_caller),
          TEST(test_oci_image_ref__refuses_wrong_defaults),
          TEST(test_oci_image_ref__reads_no_more_options_than_the_caller_has),
          TEST(test_oci_image_ref__replaces_what_follows_the_name),
          TEST(test_oci_image_ref__is_freed_as_often_as_you_like),
          TEST(test_oci_image_ref__survives_the_loss_of_any_allocation))
