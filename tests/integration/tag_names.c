/* tests/integration/tag_names.c - tags with "+", as packages have them, in a registry that takes none: put,
 * tag, list, read, delete. It prints what it lists. Called with host, repository, manifest's file. */
#include <berth/client.h>
#include <berth/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int exchange(const char *tag, char **ret_tag, char from, char to)
{
    size_t n = strlen(tag) + 1;
    char *other = *ret_tag = berth_malloc(n);
    for (size_t i = 0; other && i < n; i++)
        other[i] = tag[i] == from ? to : tag[i];
    return !other;
}

static int to_registry(void *arg, const char *tag, char **ret_tag)
{
    (void)arg;
    return exchange(tag, ret_tag, '+', '_');
}

static int from_registry(void *arg, const char *tag, char **ret_tag)
{
    (void)arg;
    return exchange(tag, ret_tag, '_', '+');
}

static int print(void *arg, const char *tag)
{
    (void)arg;
    return puts(tag) < 0;
}

static int failed(const char *what, const berth_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

int main(int argc, char **argv)
{
    static char manifest[65536];
    berth_client *c = NULL;
    berth_error err;
    FILE *f = argc == 4 ? fopen(argv[3], "rb") : NULL;
    if (!f)
        return 2;
    size_t n = fread(manifest, 1, sizeof(manifest), f);
    fclose(f);
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.tag_to_registry = to_registry;
    o.tag_from_registry = from_registry;
    if (berth_client_new(argv[1], &o, &c, &err) != BERTH_OK)
        return failed("new", &err);
    const char *repository = argv[2];
    int r = 0;
    if (berth_manifest_put(c, repository, "1.0+build", manifest, n, NULL, NULL, &err) != BERTH_OK)
        r = failed("put", &err);
    else if (berth_tag_add(c, repository, "1.0+build", "1.1+build", NULL, &err) != BERTH_OK)
        r = failed("add", &err);
    else if (berth_tag_list(c, repository, print, NULL, &err) != BERTH_OK)
        r = failed("list", &err);
    else if (berth_manifest_get(c, repository, "1.1+build", BERTH_ACCEPT_ANY, NULL, &err) != BERTH_OK)
        r = failed("get", &err);
    else if (berth_manifest_digest(c, repository, "1.1+build", NULL, &err) != BERTH_OK)
        r = failed("digest", &err);
    else if (berth_tag_delete(c, repository, "1.1+build", false, &err) != BERTH_OK)
        r = failed("delete", &err);
    else if (berth_tag_list(c, repository, print, NULL, &err) != BERTH_OK)
        r = failed("list again", &err);
    berth_client_free(c);
    return r;
}
