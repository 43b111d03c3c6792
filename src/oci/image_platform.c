/* oci/image_platform.c - platforms as callers of the library see them; see berth/manifest.h.
 *
 * The server compares the text of a platform as it stands in the index. People write it in several ways, so
 * here both sides are brought to the form that Go's names give before they are compared (as containerd's
 * platforms do it). */
#include <berth/manifest.h>

#include <stdio.h>

#include "oci/manifest.h"
#include "util/fault.h"

/* The longest text that is read as a platform. */
#define TEXT_MAX 255

struct parsed {
    berth_platform platform;
    char text[TEXT_MAX + 1]; /* cut into its parts */
};

int berth_platform_parse(const char *text, berth_platform **ret_platform, berth_error *err)
{
    oci_platform p;
    berth_str names, version;
    bool has_version = str_cut(str_from(text), ':', &names, &version);
    if (!text || strlen(text) > TEXT_MAX || !oci_platform_parse(names, &p) || (has_version && !version.n))
        return berth_error_set(
            err, BERTH_E_INVALID,
            "a platform is OS/ARCHITECTURE[/VARIANT][:OS-VERSION], such as linux/arm64/v8");
    struct parsed *new = fault_hit() ? NULL : mem_zalloc(1, sizeof(*new));
    if (!new)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    const berth_str parts[] = {p.os, p.architecture, p.variant, version};
    const char **const fields[] = {&new->platform.os, &new->platform.architecture, &new->platform.variant,
                                   &new->platform.os_version};
    char *at = new->text;
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i].n == 0)
            continue;
        memcpy(at, parts[i].p, parts[i].n); /* with the NULs no longer than @text: each follows a separator */
        *fields[i] = at;
        at += parts[i].n + 1;
    }
    *ret_platform = &new->platform;
    return BERTH_OK;
}

void berth_platform_free(berth_platform *platform)
{
    mem_free(platform);
}

size_t berth_platform_print(const berth_platform *platform, char *out, size_t n)
{
    const berth_platform *p = platform;
    int length =
        snprintf(out, n, "%s/%s%s%s%s%s", p->os ? p->os : "unknown",
                 p->architecture ? p->architecture : "unknown", p->variant ? "/" : "",
                 p->variant ? p->variant : "", p->os_version ? ":" : "", p->os_version ? p->os_version : "");
    return length > 0 ? (size_t)length : 0;
}

/* One name for what has several; the variant that a name stands for alone. */
static void normalise(const berth_platform *p, const char **ret_architecture, const char **ret_variant)
{
    static const struct {
        const char *name, *architecture, *variant;
    } names[] = {{"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL},  {"i386", "386", NULL},
                 {"i686", "386", NULL},     {"aarch64", "arm64", "v8"}, {"arm64", "arm64", "v8"},
                 {"armhf", "arm", "v7"},    {"armel", "arm", "v6"}};
    *ret_architecture = p->architecture;
    *ret_variant = p->variant;
    for (size_t i = 0; p->architecture && i < COUNT(names); i++)
        if (strcasecmp(p->architecture, names[i].name) == 0) {
            *ret_architecture = names[i].architecture;
            if (!p->variant)
                *ret_variant = names[i].variant;
        }
    if (*ret_architecture && strcmp(*ret_architecture, "amd64") == 0 && *ret_variant &&
        strcmp(*ret_variant, "v1") == 0)
        *ret_variant = NULL;
}

static bool field_matches(const char *have, const char *want)
{
    return !want || (have && strcasecmp(have, want) == 0);
}

bool berth_platform_matches(const berth_platform *have, const berth_platform *want)
{
    const char *have_architecture, *have_variant, *want_architecture, *want_variant;
    normalise(have, &have_architecture, &have_variant);
    normalise(want, &want_architecture, &want_variant);
    return field_matches(have->os, want->os) && field_matches(have_architecture, want_architecture) &&
           field_matches(have_variant, want_variant) && field_matches(have->os_version, want->os_version);
}
