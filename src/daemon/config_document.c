/* daemon/config_document.c - the table of settings, written down for people (Markdown, --help) and for
 * editors (JSON schema). */
#include "daemon/config_private.h"

/* --- what a setting takes --- */

static const char *placeholder(const struct config_setting *s)
{
    if (s->unit)
        return s->unit;
    switch (s->type) {
    case CONFIG_BOOL:
        return "true|false";
    case CONFIG_NUMBER:
        return "N";
    case CONFIG_DURATION:
        return "DURATION";
    case CONFIG_SIZE:
        return "SIZE";
    case CONFIG_TEXT:
    case CONFIG_LIST:
    case CONFIG_RECORDS:
    case CONFIG_TLS:
        break;
    }
    return "TEXT";
}

/* "text|json" for what is enumerated. */
static void add_placeholder(const struct config_setting *s, berth_buf *out)
{
    if (!s->values)
        berth_buf_add_str(out, str_from(placeholder(s)));
    for (size_t i = 0; s->values && s->values[i]; i++)
        berth_buf_addf(out, "%s%s", i ? "|" : "", s->values[i]);
}

static const char *type_name(const struct config_setting *s)
{
    switch (s->type) {
    case CONFIG_BOOL:
        return "boolean";
    case CONFIG_NUMBER:
        return "number";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_LIST:
        return "list";
    case CONFIG_RECORDS:
        return "list of mappings";
    case CONFIG_TEXT:
    case CONFIG_TLS:
        break;
    }
    return "text";
}

static void add_bound(const struct config_setting *s, uint64_t n, berth_buf *out)
{
    if (s->type == CONFIG_DURATION)
        config_add_duration(n, out);
    else if (s->type == CONFIG_SIZE)
        config_add_size(n, out);
    else
        berth_buf_addf(out, "%llu", (unsigned long long)n);
}

/* --- --help --- */

void config_document_flags(berth_buf *out)
{
    enum { COLUMN = 44 };
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        if (s->file_only)
            continue;
        size_t from = out->n;
        berth_buf_add_str(out, STR("  "));
        config_add_flag(s, out);
        berth_buf_putc(out, s->type == CONFIG_BOOL ? '=' : ' ');
        add_placeholder(s, out);
        do
            berth_buf_putc(out, ' ');
        while (!berth_buf_failed(out) && out->n - from < COLUMN);
        for (const char *p = s->about; *p; p++)
            if (*p != '`')
                berth_buf_putc(out, *p);
        if (s->type == CONFIG_LIST || s->type == CONFIG_RECORDS)
            berth_buf_add_str(out, STR("; may be repeated"));
        if (s->fallback)
            berth_buf_addf(out, " [%s]", s->fallback);
        berth_buf_putc(out, '\n');
    }
}

/* --- Markdown --- */

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `berth config document`; change src/daemon/config_table.c and config_document.c "
    "instead. -->\n"
    "\n"
    "berth runs without any configuration: it serves `localhost:5000`, without users, from the folder "
    "`./data`.\n"
    "Every setting has one name. A value is taken from the last of these that gives one:\n"
    "\n"
    "1. the default,\n"
    "2. the YAML file named by `--config FILE`,\n"
    "3. the environment: `http.prefix` is `BERTH_HTTP_PREFIX`; an empty variable counts as unset,\n"
    "4. flags: `http.prefix` is `--http-prefix VALUE` or `--http-prefix=VALUE`.\n"
    "\n"
    "`berth config check` reads all of them and says everything that is wrong, with file, line and column.\n"
    "`berth config show` prints what is in force, as a file that berth reads.\n"
    "\n"
    "## Values\n"
    "\n"
    "| type | how to write it |\n"
    "|---|---|\n"
    "| boolean | `true` or `false`; also `yes`, `no`, `on`, `off`, `1`, `0`. As a flag, the name alone means "
    "true: "
    "`--registry-read-only`. |\n"
    "| number | a whole number |\n"
    "| duration | `250ms`, `30s`, `10m`, `24h`, `7d`, together as in `1h30m`, or a number of seconds |\n"
    "| size | `512`, `16KiB`, `4MiB`, `1GiB`, `2TiB`. `16k`, `16KB` and `16KiB` are the same: 16384 bytes. "
    "|\n"
    "| text | one line of UTF-8 |\n"
    "| list | in YAML a list; in the environment entries between commas (`\\,` is a comma in an entry); as a "
    "flag, "
    "one entry each time the flag is given. A list replaces the list of the source below it. |\n"
    "\n"
    "Keys of the file must be known and stand once; a section or value left empty, or `null`, keeps its "
    "default.\n"
    "Aliases and several documents are refused, as are files above 1 MiB.\n"
    "\n"
    "## Reload\n"
    "\n"
    "`SIGHUP` (`systemctl reload berth`) reads file, environment and flags again. What says \"yes\" under "
    "*reload* "
    "then takes effect;\nwhat says \"restart\" waits for the next start, and the log says so. A "
    "configuration with "
    "a mistake changes nothing.\nCertificates and keys are read again from the files they were in.\n"
    "\n"
    "## Example\n"
    "\n"
    "```yaml\n"
    "version: 1\n"
    "data: /var/lib/berth\n"
    "listen:\n"
    "  - localhost:5000\n"
    "  - address: \":5443\"\n"
    "    certificate: /etc/berth/tls.crt\n"
    "    key: /etc/berth/tls.key\n"
    "http:\n"
    "  trusted_proxies: [10.0.0.0/8]\n"
    "  idle_timeout: 2m\n"
    "registry:\n"
    "  max_manifest_size: 8MiB\n"
    "  warnings:\n"
    "    - repository: old/*\n"
    "      text: these images are no longer updated\n"
    "gc:\n"
    "  untagged: 14d\n"
    "  window: 22:00-06:00\n"
    "log:\n"
    "  format: json\n"
    "```\n"
    "\n";

/* R246, R260, R261: what people know from django-oci has a name here, or a reason to have none. */
static const char equivalents[] =
    "## Coming from django-oci\n"
    "\n"
    "| django-oci | berth |\n"
    "|---|---|\n"
    "| `URL_PREFIX` | `http.prefix`; the API itself is always `/v2/` below it |\n"
    "| `SPEC_VERSION` | none: berth speaks 1.1, and what it knows of later drafts |\n"
    "| `DOMAIN_URL` | none: URLs follow the request's Host; see `http.trusted_proxies` and "
    "`http.relative_urls` |\n"
    "| `STORAGE_BACKEND` | `storage.driver` |\n"
    "| `MEDIA_ROOT` | `data` |\n"
    "| `CACHE_DIR` | none needed: upload sessions live in the database |\n"
    "| `DISABLE_TAG_MANIFEST_DELETE` | `registry.deletes`, the other way round: `registry.deletes: false` |\n"
    "| `CONTENT_TYPES` | `registry.blob_content_types` |\n"
    "| `DEFAULT_CONTENT_TYPE` | none: an upload without a content type is accepted |\n"
    "| `IMAGE_MANIFEST_CONTENT_TYPE` | none: a manifest's type comes from the request, and is kept |\n"
    "| `SESSION_EXPIRES_SECONDS` | `registry.session_timeout`; a plain number is seconds |\n"
    "| `DISABLE_AUTHENTICATION` | none: this release has no users and is always open |\n"
    "| `AUTHENTICATED_VIEWS`, `PRIVATE_ONLY` | a later release, with users |\n"
    "| `JWT_SERVER_SECRET`, `TOKEN_EXPIRES_SECONDS`, the `auth/token/` end-point | a later release, with "
    "users |\n"
    "| `AUTHENTICATION_SERVER` | a later release, with users |\n"
    "| `VIEW_RATE_LIMIT`, `VIEW_RATE_LIMIT_BLOCK` | a later release; until then "
    "`http.max_connections_per_address` |\n";

static const char *section_about(berth_str section)
{
    static const struct {
        const char *section, *text;
    } rows[] = {
        {"", "At the top of the file, in no section."},
        {"tls",
         "Only as flags or in the environment, for the listeners that come from there, or the default one. "
         "Listeners in the file\nname their own certificates."},
        {"http", "How berth speaks HTTP, and how much of it."},
        {"registry", "What may be pushed, and what clients are told."},
        {"storage", "Where the bytes live."},
        {"gc", "Collection of what nothing refers to any more; it runs inside the server."},
        {"log", "What is written to standard error, and to the audit file."},
        {"metrics", "Figures for Prometheus."},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_eq(section, str_from(rows[i].section)))
            return rows[i].text;
    return "";
}

/* A cell of a table: what would end it is escaped. */
static void add_cell(const char *text, berth_buf *out)
{
    for (; *text; text++)
        berth_buf_addf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void document_type(const struct config_setting *s, berth_buf *out)
{
    bool ranged = s->type == CONFIG_NUMBER || s->type == CONFIG_DURATION || s->type == CONFIG_SIZE;
    if (s->values) {
        for (size_t i = 0; s->values[i]; i++)
            berth_buf_addf(out, "%s`%s`", i ? ", " : "", s->values[i]);
        return;
    }
    berth_buf_add_str(out, str_from(type_name(s)));
    if (ranged) {
        berth_buf_add_str(out, STR(", "));
        add_bound(s, s->least, out);
        if (s->least != s->most) {
            berth_buf_add_str(out, STR(" to "));
            add_bound(s, s->most, out);
        }
    }
    if (s->form && s->form->example)
        berth_buf_addf(out, " such as `%s`", s->form->example);
}

static void document_row(const struct config_setting *s, berth_buf *out)
{
    berth_buf_addf(out, "| `%s` | ", s->key);
    if (s->file_only) {
        berth_buf_add_str(out, STR("file only | file only | "));
    } else {
        berth_buf_putc(out, '`');
        config_add_flag(s, out);
        if (s->type != CONFIG_BOOL && !s->values)
            berth_buf_addf(out, " %s", placeholder(s));
        berth_buf_add_str(out, STR("` | `"));
        config_add_variable(s, out);
        berth_buf_add_str(out, STR("` | "));
    }
    document_type(s, out);
    if (s->fallback)
        berth_buf_addf(out, " | `%s` | ", s->fallback);
    else
        berth_buf_add_str(out, s->type == CONFIG_LIST || s->type == CONFIG_RECORDS ? STR(" | empty | ")
                                                                                   : STR(" | none | "));
    berth_buf_add_str(out, s->reloads ? STR("yes | ") : STR("restart | "));
    add_cell(s->about, out);
    berth_buf_add_str(out, STR(" |\n"));
}

static void document_records(const struct config_setting *s, berth_buf *out)
{
    berth_buf_addf(
        out,
        "\nAn entry of `%s` is a mapping, or `%s` alone:\n\n| key | needed | what it says |\n|---|---|---|\n",
        s->key, s->fields[s->bare].key);
    for (size_t i = 0; i < s->n_fields; i++) {
        berth_buf_addf(out, "| `%s` | %s | ", s->fields[i].key, s->fields[i].required ? "yes" : "no");
        add_cell(s->fields[i].about, out);
        berth_buf_add_str(out, STR(" |\n"));
    }
}

void config_document_markdown(berth_buf *out)
{
    berth_buf_add_str(out, str_from(introduction));
    for (size_t i = 0; i < config_settings_count;) {
        berth_str section = config_section(&config_settings[i]);
        size_t end = i;
        if (section.n)
            berth_buf_addf(out, "## `" STR_FMT "`\n\n", STR_ARG(section));
        else
            berth_buf_add_str(out, STR("## General\n\n"));
        berth_buf_addf(out,
                       "%s\n\n| setting | flag | environment | type | default | reload | what it does |\n"
                       "|---|---|---|---|---|---|---|\n",
                       section_about(section));
        for (; end < config_settings_count && str_eq(config_section(&config_settings[end]), section); end++)
            document_row(&config_settings[end], out);
        for (; i < end; i++)
            if (config_settings[i].type == CONFIG_RECORDS)
                document_records(&config_settings[i], out);
        berth_buf_putc(out, '\n');
    }
    berth_buf_add_str(out, str_from(equivalents));
}

/* --- JSON schema --- */

static void schema_pair(const char *key, const char *value, berth_buf *out)
{
    berth_buf_addf(out, "\"%s\": ", key);
    config_add_quoted(str_from(value), out);
}

static void schema_values(const char *const *values, berth_buf *out)
{
    berth_buf_add_str(out, STR(", \"enum\": ["));
    for (size_t i = 0; values[i]; i++) {
        berth_buf_add_str(out, i ? STR(", ") : STR(""));
        config_add_quoted(str_from(values[i]), out);
    }
    berth_buf_putc(out, ']');
}

static void schema_records(const struct config_setting *s, berth_buf *out)
{
    berth_buf_add_str(out,
                      STR("\"type\": [\"array\", \"null\"], \"items\": {\"anyOf\": [{\"type\": \"string\"}, "
                          "{\"type\": \"object\", \"additionalProperties\": false, \"required\": ["));
    const char *comma = "";
    for (size_t i = 0; i < s->n_fields; i++)
        if (s->fields[i].required) {
            berth_buf_addf(out, "%s\"%s\"", comma, s->fields[i].key);
            comma = ", ";
        }
    berth_buf_add_str(out, STR("], \"properties\": {"));
    for (size_t i = 0; i < s->n_fields; i++) {
        berth_buf_addf(out, "%s\"%s\": {\"type\": \"string\", ", i ? ", " : "", s->fields[i].key);
        schema_pair("description", s->fields[i].about, out);
        if (s->fields[i].values)
            schema_values(s->fields[i].values, out);
        berth_buf_putc(out, '}');
    }
    berth_buf_add_str(out, STR("}}]}"));
}

static void schema_setting(const struct config_setting *s, berth_buf *out)
{
    berth_buf_addf(out, "\"" STR_FMT "\": {", STR_ARG(config_name(s)));
    schema_pair("description", s->about, out);
    berth_buf_add_str(out, STR(", "));
    switch (s->type) {
    case CONFIG_TEXT:
    case CONFIG_TLS:
        berth_buf_add_str(out,
                          s->values ? STR("\"type\": \"string\"") : STR("\"type\": [\"string\", \"null\"]"));
        if (s->values)
            schema_values(s->values, out);
        break;
    case CONFIG_BOOL:
        berth_buf_add_str(out, STR("\"type\": [\"boolean\", \"null\"]"));
        break;
    case CONFIG_NUMBER:
        berth_buf_addf(out, "\"type\": [\"integer\", \"null\"], \"minimum\": %llu, \"maximum\": %llu",
                       (unsigned long long)s->least, (unsigned long long)s->most);
        break;
    case CONFIG_DURATION:
        berth_buf_add_str(out,
                          STR("\"type\": [\"string\", \"integer\", \"null\"], \"minimum\": 0, \"pattern\": "
                              "\"^([0-9]+|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$\""));
        break;
    case CONFIG_SIZE:
        berth_buf_add_str(out,
                          STR("\"type\": [\"string\", \"integer\", \"null\"], \"minimum\": 0, \"pattern\": "
                              "\"^[0-9]+ *([bB]|[kKmMgGtT]([iI]?[bB])?)?$\""));
        break;
    case CONFIG_LIST:
        berth_buf_add_str(out, STR("\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"string\"}"));
        break;
    case CONFIG_RECORDS:
        schema_records(s, out);
        break;
    }
    if (s->fallback && s->type != CONFIG_RECORDS) {
        bool plain = s->type == CONFIG_BOOL || s->type == CONFIG_NUMBER;
        berth_buf_addf(out, plain ? ", \"default\": %s" : ", \"default\": \"%s\"", s->fallback);
    }
    berth_buf_putc(out, '}');
}

void config_document_schema(berth_buf *out)
{
    berth_buf_add_str(out, STR("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                               "  \"title\": \"Configuration of berth\",\n  \"type\": \"object\",\n"
                               "  \"additionalProperties\": false,\n  \"properties\": {"));
    berth_str open = STR_NULL;
    const char *comma = "\n";
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        berth_str section = config_section(s);
        if (!config_in_file(s))
            continue;
        if (!str_eq(section, open)) {
            berth_buf_addf(out,
                           "%s%s    \"" STR_FMT
                           "\": {\"type\": [\"object\", \"null\"], \"additionalProperties\": false,"
                           " \"properties\": {\n",
                           open.n ? "\n    }}" : "", open.n ? ",\n" : comma, STR_ARG(section));
            comma = "";
            open = section;
        }
        berth_buf_addf(out, "%s%s", comma, section.n ? "      " : "    ");
        schema_setting(s, out);
        comma = ",\n";
    }
    berth_buf_add_str(out, open.n ? STR("\n    }}\n  }\n}\n") : STR("\n  }\n}\n"));
}
