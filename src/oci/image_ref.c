/* oci/image_ref.c - [HOST[:PORT]/]NAME[:TAG][@DIGEST], as people write it; see berth/reference.h. Takes the
 * text apart from its ends, has each piece checked by the grammar that the registry uses too (reference.h),
 * and keeps all forms of it in one block. */
#include <berth/reference.h>

#include <arpa/inet.h>
#include <strings.h>

#include "oci/reference.h"
#include "util/buf.h"
#include "util/fault.h"
#include "util/mask.h"

#define HUB_NAME      "docker.io"
#define HUB_NETLOC    "registry-1.docker.io"
#define HUB_NAMESPACE "library"

#define HOST_MAX  253 /* RFC 1035, 2.3.4, as text */
#define LABEL_MAX 63
#define AT_MAX    512 /* behind '@': no digest is near it, and so every normalised form can be parsed */
#define SHOWN_MAX 100 /* bytes of the caller's text that an error repeats; all of them are printable */

/* What one text says, as views; empty where it says nothing. */
struct pieces {
    berth_str original, host, name, tag, digest;
    bool has_host, has_tag, has_digest;
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* --- hosts --- */

static int refuse_host(berth_str host, const char *why, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf shown = BERTH_BUF_INIT(64 * KIB);
    mask_add(&shown, host);
    return berth_error_set(err, BERTH_E_INVALID, "the host '" STR_FMT "' %s",
                           STR_ARG(str_head(berth_buf_str(&shown), SHOWN_MAX)), why);
}

static bool port_valid(berth_str port)
{
    uint64_t n;
    return port.n <= 5 && str_to_u64(port, &n) && n > 0 && n <= UINT16_MAX;
}

/* Letters, digits and inner hyphens between dots: RFC 1123, 2.1; also an IPv4 address. */
static bool domain_valid(berth_str domain)
{
    berth_str label, rest = domain;
    if (domain.n == 0 || domain.n > HOST_MAX || domain.p[domain.n - 1] == '.')
        return false;
    while (rest.n) {
        str_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!is_alnum(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

static bool ipv6_valid(berth_str address)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (address.n >= sizeof(text))
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    return inet_pton(AF_INET6, text, &parsed) == 1;
}

/* HOST[:PORT]; an IPv6 address stands in brackets, without a zone (RFC 3986, 3.2.2). */
int oci_host_check(berth_str host, berth_error *err)
{
    berth_str domain, port;
    bool has_port;
    if (host.n && memchr(host.p, '@', host.n))
        return refuse_host(host, "has something before it: a name and a password are given apart", err);
    if (host.n && memmem(host.p, host.n, "://", 3))
        return refuse_host(host, "is a URL: a host stands alone", err);
    if (host.n && host.p[0] == '[') {
        berth_str behind;
        if (!str_cut(str_from_offset(host, 1), ']', &domain, &behind) || !ipv6_valid(domain))
            return refuse_host(host, "has no IPv6 address between its brackets", err);
        has_port = behind.n > 0;
        port = str_from_offset(behind, 1);
        if (has_port && behind.p[0] != ':')
            return refuse_host(host, "goes on behind its brackets", err);
    } else {
        has_port = str_cut(host, ':', &domain, &port);
        if (has_port && memchr(port.p, ':', port.n))
            return refuse_host(host, "has several colons: an IPv6 address stands in brackets", err);
        if (!domain_valid(domain))
            return refuse_host(host, "is not a host name", err);
    }
    if (has_port && !port_valid(port))
        return refuse_host(host, "has a port that is none of 1 to 65535", err);
    return BERTH_OK;
}

/* What stands before the first '/' is a host for docker and for us; else it belongs to the name. */
static bool looks_like_host(berth_str s)
{
    return memchr(s.p, '.', s.n) || memchr(s.p, ':', s.n) || s.p[0] == '[' ||
           str_eq_nocase(s, STR("localhost"));
}

static bool is_hub(berth_str host)
{
    return str_eq_nocase(host, STR(HUB_NAME)) || str_eq_nocase(host, STR("index." HUB_NAME)) ||
           str_eq_nocase(host, STR(HUB_NETLOC));
}

/* --- the text --- */

/* What no reference has anywhere. None of it is repeated: it could act on a terminal, or be a secret. */
static int check_bytes(berth_str s, berth_error *err)
{
    if (s.n == 0)
        return berth_error_set(err, BERTH_E_INVALID, "the reference is empty");
    if (s.n > BERTH_REF_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "the reference is longer than %d bytes", BERTH_REF_MAX);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
            return berth_error_set(err, BERTH_E_INVALID,
                                   "the reference has a space, a control character or a byte beyond ASCII at "
                                   "position %zu",
                                   i + 1);
    if (memmem(s.p, s.n, "://", 3) && mask_find(s).n)
        return berth_error_set(
            err, BERTH_E_INVALID,
            "a reference has nothing before its host: a name and a password are given apart");
    if (memmem(s.p, s.n, "://", 3))
        return berth_error_set(err, BERTH_E_INVALID, "a reference has no scheme such as https://");
    if (memchr(s.p, '?', s.n) || memchr(s.p, '#', s.n))
        return berth_error_set(err, BERTH_E_INVALID, "a reference has no '?' and no '#'");
    if (s.p[0] == '/')
        return berth_error_set(err, BERTH_E_INVALID, "a reference does not start with '/'");
    return BERTH_OK;
}

/* Behind '@': whether it is a digest is asked later, but it must stay what it is when printed and parsed
 * again. */
static int check_digest_tag(berth_str digest, berth_error *err)
{
    const char *why = digest.n == 0                     ? "there is nothing behind '@'"
                      : digest.n > AT_MAX               ? "what stands behind '@' is too long for a digest"
                      : memchr(digest.p, '@', digest.n) ? "there is more than one '@'"
                      : memchr(digest.p, '/', digest.n) ? "what stands behind '@' is a digest, and has no '/'"
                                                        : NULL;
    return why ? berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID", "%s", why) : BERTH_OK;
}

static int check_tag(berth_str tag, berth_error *err)
{
    oci_reference unused;
    if (tag.n == 0)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID", "there is no tag behind ':'");
    if (tag.n > OCI_TAG_MAX)
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "the tag is longer than %d characters", OCI_TAG_MAX);
    if (memchr(tag.p, ':', tag.n)) /* oci_reference_parse() would take it for a digest */
        return berth_error_set_oci(err, BERTH_E_INVALID, "MANIFEST_INVALID",
                                   "'" STR_FMT "' is not a valid tag; a digest stands behind '@'",
                                   STR_ARG(str_head(tag, SHOWN_MAX)));
    return oci_reference_parse(tag, &unused, err);
}

static int refuse_name(berth_str name, berth_error *err)
{
    const char *why = "is not components of a-z and 0-9, with . _ - inside, joined by '/'";
    if (name.n > OCI_NAME_MAX)
        why = "is too long";
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z')
            why = "has capital letters, and names have none";
    if (name.n == 0)
        return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID", "there is no name");
    return berth_error_set_oci(err, BERTH_E_INVALID, "NAME_INVALID", "the name '" STR_FMT "' %s",
                               STR_ARG(str_head(name, SHOWN_MAX)), why);
}

static int take_apart(berth_str text, struct pieces *p, berth_error *err)
{
    berth_str rest, before, behind;
    int e = check_bytes(text, err);
    if (e != BERTH_OK)
        return e;
    p->original = text;
    p->has_digest = str_cut(text, '@', &rest, &p->digest);
    if (p->has_digest && (e = check_digest_tag(p->digest, err)) != BERTH_OK)
        return e;

    if (str_cut(rest, '/', &before, &behind) && before.n && looks_like_host(before)) {
        if ((e = oci_host_check(before, err)) != BERTH_OK)
            return e;
        p->has_host = true;
        p->host = before;
        rest = behind;
    }

    const char *slash = rest.n ? memrchr(rest.p, '/', rest.n) : NULL;
    size_t last = slash ? (size_t)(slash - rest.p) : 0;
    p->has_tag = str_cut(str_from_offset(rest, last), ':', &before, &p->tag);
    p->name = str_head(rest, last + before.n);
    /* "name:secret@host" is not repeated. */
    berth_digest unused;
    if (p->has_tag && p->has_digest && mask_find(text).n &&
        (e = digest_parse(p->digest, &unused, err)) != BERTH_OK)
        return e;
    if (p->has_tag && (e = check_tag(p->tag, err)) != BERTH_OK)
        return e;
    return oci_name_valid(p->name) ? BERTH_OK : refuse_name(p->name, err);
}

/* --- defaults --- */

struct defaults {
    berth_str registry, name_space, tag; /* empty: none */
};

static int defaults_from(const berth_ref_options *opts, struct defaults *ret, berth_error *err)
{
    berth_ref_options o = BERTH_REF_OPTIONS_INIT;
    if (opts) /* an older caller's are shorter */
        memcpy(&o, opts, MIN(opts->size, sizeof(o)));
    struct defaults d = {str_from(o.default_registry), str_from(o.default_namespace),
                         str_from(o.default_tag)};
    if (d.registry.n == 0)
        d.registry = STR(HUB_NETLOC);
    int e = oci_host_check(d.registry, err);
    if (e == BERTH_OK && !looks_like_host(d.registry)) /* "name/app" would not be read as it was printed */
        e = refuse_host(d.registry, "needs a dot or a port to be known as one", err);
    if (e == BERTH_OK && d.name_space.n == 0 && is_hub(d.registry))
        d.name_space = STR(HUB_NAMESPACE);
    if (e == BERTH_OK && d.name_space.n && !oci_name_valid(d.name_space))
        e = refuse_name(d.name_space, err);
    if (e == BERTH_OK && d.tag.n)
        e = check_tag(d.tag, err);
    if (e != BERTH_OK)
        berth_error_prefix(err, "a default for references");
    else
        *ret = d;
    return e;
}

/* --- the forms of it --- */

/* Adds @s and NUL to @b, which has room; returns where. */
static size_t keep(berth_buf *b, berth_str s)
{
    size_t at = b->n;
    berth_buf_add_str(b, s);
    berth_buf_putc(b, '\0');
    return at;
}

static void add_lower(berth_buf *b, berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        berth_buf_putc(b, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] - 'A' + 'a' : s.p[i]));
}

static int put_together(const struct pieces *p, const struct defaults *d, berth_ref *ret, berth_error *err)
{
    berth_str host = p->has_host ? p->host : d->registry;
    bool hub = is_hub(host);
    berth_str name_space = p->has_host ? (hub ? STR(HUB_NAMESPACE) : STR_NULL) : d->name_space;
    berth_str tag = p->has_tag ? p->tag : p->has_digest ? STR_NULL : d->tag;

    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(32 * KIB);
    size_t original = keep(&b, p->original), netloc = b.n;
    if (hub)
        berth_buf_add_str(&b, STR(HUB_NETLOC));
    else
        add_lower(&b, host);
    berth_buf_putc(&b, '\0');
    size_t repository = b.n;
    if (name_space.n && !memchr(p->name.p, '/', p->name.n))
        berth_buf_addf(&b, STR_FMT "/", STR_ARG(name_space));
    berth_buf_add_str(&b, p->name);
    size_t repository_n = b.n - repository;
    berth_buf_putc(&b, '\0');
    size_t symbolic = keep(&b, tag), digest = keep(&b, p->digest);
    if (berth_buf_failed(&b))
        return berth_error_set(err, BERTH_E_NOMEM, "no memory");
    berth_str name = {b.p + repository, repository_n};
    if (!oci_name_valid(name)) /* with the namespace it can be too long */
        return refuse_name(name, err);

    CLEANUP(berth_buf_done) berth_buf whole = BERTH_BUF_INIT(8 * KIB);
    berth_buf_addf(&whole, "%s/%s", b.p + netloc, b.p + repository);
    size_t without_tag = keep(&b, berth_buf_str(&whole)), normalised;
    if (tag.n)
        berth_buf_addf(&whole, ":" STR_FMT, STR_ARG(tag));
    if (p->has_digest)
        berth_buf_addf(&whole, "@" STR_FMT, STR_ARG(p->digest));
    normalised = keep(&b, berth_buf_str(&whole));
    if (berth_buf_failed(&whole) || berth_buf_failed(&b))
        return berth_error_set(err, BERTH_E_NOMEM, "no memory");

    const char *block = berth_buf_take(&b);
    *ret = (berth_ref){
        .original = block + original, /* the block's first byte: berth_ref_done() frees it */
        .normalised = block + normalised,
        .registry = hub ? HUB_NAME : block + netloc,
        .netloc = block + netloc,
        .repository = block + repository,
        .without_tag = block + without_tag,
        .symbolic_tag = tag.n ? block + symbolic : NULL,
        .digest_tag = p->has_digest ? block + digest : NULL,
    };
    ret->tag = ret->digest_tag ? ret->digest_tag : ret->symbolic_tag;
    ret->tag_type = ret->digest_tag     ? BERTH_TAG_DIGEST
                    : ret->symbolic_tag ? BERTH_TAG_SYMBOLIC
                                        : BERTH_TAG_NONE;
    return BERTH_OK;
}

/* --- the calls --- */

int berth_ref_parse(const char *text, berth_ref *ret_ref, berth_error *err)
{
    return berth_ref_parse_with(text, NULL, ret_ref, err);
}

int berth_ref_parse_with(const char *text, const berth_ref_options *opts, berth_ref *ret_ref,
                         berth_error *err)
{
    struct defaults d;
    struct pieces p = {0};
    int e = defaults_from(opts, &d, err);
    if (e == BERTH_OK)
        e = take_apart(str_from(text), &p, err);
    return e == BERTH_OK ? put_together(&p, &d, ret_ref, err) : e;
}

void berth_ref_done(berth_ref *ref)
{
    if (!ref)
        return;
    mem_free((void *)(uintptr_t)ref->original);
    *ref = (berth_ref)BERTH_REF_INIT;
}

bool berth_ref_equal(const berth_ref *a, const berth_ref *b)
{
    return str_eq(str_from(a->normalised), str_from(b->normalised));
}

int berth_ref_compare(const berth_ref *a, const berth_ref *b)
{
    return strcmp(a->normalised, b->normalised);
}

/* FNV-1a. */
uint64_t berth_ref_hash(const berth_ref *ref)
{
    uint64_t h = 0xcbf29ce484222325U;
    for (const char *p = ref->normalised; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3U;
    return h;
}

/* All strings but the name of Docker Hub are in one block, from the first to the last of them. */
int berth_ref_copy(const berth_ref *ref, berth_ref *ret_ref, berth_error *err)
{
    const char *from = ref->original;
    size_t n = (size_t)(ref->normalised - from) + strlen(ref->normalised) + 1;
    char *block = fault_hit() ? NULL : mem_alloc(n);
    if (!block)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory");
    memcpy(block, from, n);
    berth_ref copy = *ref;
    const char **const strings[] = {&copy.original,     &copy.normalised,  &copy.netloc,
                                    &copy.repository,   &copy.without_tag, &copy.tag,
                                    &copy.symbolic_tag, &copy.digest_tag};
    for (size_t i = 0; i < COUNT(strings); i++)
        if (*strings[i])
            *strings[i] = block + (*strings[i] - from);
    copy.registry = ref->registry == ref->netloc ? copy.netloc : ref->registry;
    *ret_ref = copy;
    return BERTH_OK;
}

int berth_ref_digest(const berth_ref *ref, berth_digest *ret_digest, berth_error *err)
{
    if (!ref->digest_tag)
        return berth_error_set(err, BERTH_E_INVALID, "'%.*s' has no digest", SHOWN_MAX, ref->normalised);
    return digest_parse(str_from(ref->digest_tag), ret_digest, err);
}

/* @ref's repository with @tag and @digest, both of which may be NULL. */
static int with(const berth_ref *ref, const char *tag, const char *digest, berth_ref *ret_ref,
                berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(8 * KIB);
    berth_buf_addf(&text, "%s%s%s%s%s", ref->without_tag, tag ? ":" : "", tag ? tag : "", digest ? "@" : "",
                   digest ? digest : "");
    const char *s = berth_buf_cstr(&text);
    return s ? berth_ref_parse(s, ret_ref, err) : berth_error_set(err, BERTH_E_NOMEM, "no memory");
}

int berth_ref_with_tag(const berth_ref *ref, const char *tag, berth_ref *ret_ref, berth_error *err)
{
    oci_reference checked;
    int e = oci_reference_parse(str_from(tag), &checked, err);
    if (e != BERTH_OK)
        return e;
    return checked.is_digest ? with(ref, NULL, tag, ret_ref, err) : with(ref, tag, NULL, ret_ref, err);
}

int berth_ref_with_digest(const berth_ref *ref, const berth_digest *digest, berth_ref *ret_ref,
                          berth_error *err)
{
    return with(ref, ref->symbolic_tag, digest->text, ret_ref, err);
}
