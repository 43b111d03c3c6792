/* oci/platform.c - "os/architecture[/variant]" as people write it; see manifest.h. */
#include "oci/manifest.h"

static bool component_valid(berth_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '.' && c != '_' && c != '-')
            return false;
    }
    return s.n > 0;
}

bool oci_platform_parse(berth_str s, oci_platform *ret)
{
    oci_platform p = {.os = STR("")};
    berth_str rest;
    if (!str_cut(s, '/', &p.os, &rest))
        return false;
    bool has_variant = str_cut(rest, '/', &p.architecture, &p.variant);
    if (!component_valid(p.os) || !component_valid(p.architecture) ||
        (has_variant && !component_valid(p.variant)))
        return false;
    *ret = p;
    return true;
}

static bool field_matches(berth_str have, berth_str want)
{
    return want.n == 0 || str_eq(have, want);
}

bool oci_platform_matches(const oci_platform *have, const oci_platform *want)
{
    return field_matches(have->os, want->os) && field_matches(have->architecture, want->architecture) &&
           field_matches(have->variant, want->variant) && field_matches(have->os_version, want->os_version);
}
