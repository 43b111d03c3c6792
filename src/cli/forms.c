/* cli/forms.c - see forms.h. */
#include "cli/forms.h"

#include <berth/manifest.h>

#include "oci/digest.h"
#include "oci/mediatype.h"
#include "oci/reference.h"

#define SHOWN 100 /* bytes of what was given */

static int refuse(const char *text, const char *what, berth_error *err)
{
    return berth_error_set(err, BERTH_E_INVALID, "'%.*s' is not %s", SHOWN, text, what);
}

static int check_platform(const char *text, berth_error *err)
{
    berth_platform *p = NULL;
    int r = berth_platform_parse(text, &p, err);
    berth_platform_free(p);
    return r;
}

static int check_pair(const char *text, berth_error *err)
{
    berth_str key, value;
    return str_cut(str_from(text), '=', &key, &value) && key.n ? BERTH_OK : refuse(text, "KEY=VALUE", err);
}

static int check_type(const char *text, berth_error *err)
{
    return mediatype_valid(str_from(text))
               ? BERTH_OK
               : refuse(text, "a media type, such as application/vnd.example", err);
}

static int check_tag(const char *text, berth_error *err)
{
    return oci_tag_valid(str_from(text)) ? BERTH_OK : refuse(text, "a valid tag", err);
}

static int check_digest(const char *text, berth_error *err)
{
    berth_digest unused;
    return digest_parse(str_from(text), &unused, err);
}

int form_check(const char *value, const char *text, berth_error *err)
{
    static const struct {
        const char *value;
        int (*check)(const char *text, berth_error *err);
    } forms[] = {
        {"OS/ARCH[/VARIANT]", check_platform},
        {"KEY=VALUE", check_pair},
        {"TYPE", check_type},
        {"TAG", check_tag},
        {"DIGEST", check_digest},
    };
    for (size_t i = 0; value && i < COUNT(forms); i++)
        if (strcmp(forms[i].value, value) == 0)
            return forms[i].check(text, err);
    return BERTH_OK;
}
