/* cli/document.c - see document.h. */
#include "cli/document.h"

#ifdef BERTH_CLIENT
#include "cli/environment.h"
#endif

static const struct document_row variables[] = {
    {"BERTH_HOSTS_FILE", "the file of settings by registry, instead of ~/.config/berth/hosts.yaml"},
    {"DOCKER_CONFIG", "the folder of config.json, instead of ~/.docker"},
    {"https_proxy, http_proxy, no_proxy", "proxies, as curl(1) reads them"},
    {"NO_COLOR", "if it is set and not empty, progress has no colours"},
};

const struct document_row document_files[] = {
    {"~/.docker/config.json",
     "credentials, as docker login writes them: the entry with the longest path that leads "
     "to the repository, else the one of the host"},
    {"~/.config/berth/hosts.yaml", "settings by registry, which `berth registry` edits"},
    {NULL, NULL},
};

bool document_variable(size_t i, struct document_row *ret)
{
#ifdef BERTH_CLIENT
    for (const struct environment_variable *v = environment_variables; v->name; v++)
        if (i-- == 0) {
            *ret = (struct document_row){v->name, v->about};
            return true;
        } else if (v->other && i-- == 0) {
            *ret = (struct document_row){v->other, "another name of the one above"};
            return true;
        }
#endif
    if (i < COUNT(variables))
        *ret = variables[i];
    return i < COUNT(variables);
}

/* The page that a command stands on. */
static berth_str page_of(const struct cli_command *c)
{
    const struct cli_family *f = cli_family_of(c);
    return str_from(f ? f->name : c->name);
}

const struct cli_option *document_own_option(const struct cli_command *c, size_t i)
{
    const struct cli_option *o;
    for (size_t k = 0; (o = cli_option_at(c, k)); k++)
        if (!cli_option_title(o) && strcmp(o->name, "help") != 0 && i-- == 0)
            return o;
    return NULL;
}

const struct cli_command *document_member(const char *name, size_t i)
{
    for (size_t k = 0; cli_commands[k]; k++)
        if (str_eq(page_of(cli_commands[k]), str_from(name)) && i-- == 0)
            return cli_commands[k];
    return NULL;
}

const char *document_summary(const char *name)
{
    const struct cli_family *f = cli_find_family(name);
    const struct cli_command *c = document_member(name, 0);
    return f ? f->summary : c ? c->summary : NULL;
}

bool document_has_page(const char *name)
{
    return strcmp(name, "version") != 0 && strcmp(name, "help") != 0;
}

const char *document_page(size_t i)
{
    for (size_t k = 0; cli_commands[k]; k++) {
        berth_str page = page_of(cli_commands[k]);
        if ((k == 0 || !str_eq(page, page_of(cli_commands[k - 1]))) && i-- == 0)
            return page.p;
    }
    return NULL;
}
