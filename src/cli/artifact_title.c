/* cli/artifact_title.c - what the files of an artifact are called; see artifact.h. */
#include "cli/artifact.h"
#include "content/unpack.h"

int artifact_split(berth_arena *a, const char *text, const char *type, const char **ret_path,
                   const char **ret_type, berth_error *err)
{
    const char *colon = strrchr(text, ':');
    bool typed = colon && strchr(colon, '/') && colon[1] != '/';
    *ret_path = typed ? berth_arena_dup(a, (berth_str){text, (size_t)(colon - text)}) : text;
    *ret_type = typed ? colon + 1 : type;
    return *ret_path ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

int artifact_title(berth_arena *a, const char *path, const char **ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf title = BERTH_BUF_INIT(MIB);
    berth_str rest = str_from(path), name;
    if (strcmp(path, "-") == 0)
        return berth_error_set(err, BERTH_E_INVALID, "standard input has no name; './-' is the file '-'");
    bool below = unpack_check_path(path, NULL) == BERTH_OK;
    while (rest.n) {
        str_cut(rest, '/', &name, &rest);
        if (!name.n || str_eq(name, STR(".")))
            continue;
        if (!below)
            berth_buf_reset(&title);
        berth_buf_addf(&title, "%s" STR_FMT, title.n ? "/" : "", STR_ARG(name));
    }
    const char *text = berth_arena_dup(a, berth_buf_str(&title));
    if (!text || berth_buf_failed(&title))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (unpack_check_path(text, NULL) != BERTH_OK)
        return berth_error_set(err, BERTH_E_INVALID,
                               "'%s' has no name of its own, which it would be pulled by", path);
    *ret = text;
    return BERTH_OK;
}

/* One is the other, or below it: who pulls them would find something there already. */
static bool collide(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    const char *longer = n > m ? a : b;
    return strncmp(a, b, MIN(n, m)) == 0 && (n == m || longer[MIN(n, m)] == '/');
}

int artifact_check_titles(struct cli_base *b, berth_error *err)
{
    const char **titles = berth_arena_alloc(&b->arena, b->n_operands * sizeof(*titles)), *path, *type;
    if (!titles)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    for (size_t i = 1; i < b->n_operands; i++) {
        int r = artifact_split(&b->arena, b->operands[i], NULL, &path, &type, err);
        if (r == BERTH_OK)
            r = artifact_title(&b->arena, path, &titles[i], err);
        if (r != BERTH_OK)
            return r;
        for (size_t k = 1; k < i; k++)
            if (collide(titles[i], titles[k]))
                return berth_error_set(err, BERTH_E_INVALID,
                                       "'%s' and '%s' would be in each other's way when they are pulled",
                                       b->operands[k], b->operands[i]);
    }
    return BERTH_OK;
}
