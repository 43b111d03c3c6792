/* tests/unit/cli/format.c - templates of --format: what they print, and what they say of mistakes. */
#include "test.h"

#include "cli/command.h"
#include "cli/format.h"

static const char document[] =
    "{\"digest\": \"sha256:12\", \"size\": 42, \"half\": 0.5, \"none\": null, \"yes\": true, \"empty\": [],"
    " \"tags\": [\"v1\", \"v2\", \"v3\"], \"word\": \"\u00e4bc\","
    " \"layers\": [{\"size\": 1, \"note\": {\"org.example.x\": \"a b\"}}, {\"size\": 2}]}";

/* What @text makes of the document; NULL: a mistake, which test_err tells. */
static char *made_knowing(const char *text, const struct cli_field *known)
{
    json_t *root = json_loads(document, 0, NULL);
    struct format *f = NULL;
    char *made = NULL;
    size_t n;
    memset(&test_err, 0, sizeof(test_err));
    FILE *out = open_memstream(&made, &n);
    CHECK(root && out);
    int r = format_parse(text, &f, &test_err);
    if (r == BERTH_OK) {
        format_know(f, known);
        r = format_print(f, root, out, &test_err);
    }
    fclose(out);
    format_free(f);
    json_decref(root);
    if (r == BERTH_OK)
        return made;
    mem_free(made);
    return NULL;
}

static char *made_of(const char *text)
{
    return made_knowing(text, NULL);
}

struct row {
    const char *text, *made;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(freep) char *made = made_of(rows[i].text);
        CHECK_STR_ROW(i, str_from(made ? made : test_err.message), str_from(rows[i].made));
    }
}

static void test_cli_format__prints_as_go_does(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain", "plain\n"},
        {"plain\n", "plain\n"},
        {"{{.digest}}", "sha256:12\n"},
        {"{{.Digest}} {{.SIZE}}", "sha256:12 42\n"},
        {"a{{ .size }}b", "a42b\n"},
        {"{{.half}} {{.yes}} {{.none}}", "0.5 true <no value>\n"},
        {"{{.tags}} {{index .layers 1}}", "[v1 v2 v3] map[size:2]\n"},
        {"{{json .tags}} {{json .none}} {{json .word}}", "[\"v1\",\"v2\",\"v3\"] null \"\u00e4bc\"\n"},
        {"{{range .tags}}{{.}},{{end}}", "v1,v2,v3,\n"},
        {"{{range $i, $t := .tags}}{{$i}}={{$t}} {{end}}", "0=v1 1=v2 2=v3 \n"},
        {"{{range $t := .tags}}{{$t}}{{end}}", "v1v2v3\n"},
        {"{{range .empty}}x{{else}}nothing{{end}}", "nothing\n"},
        {"{{range .none}}x{{else}}nothing{{end}}", "nothing\n"},
        {"{{range $i, $t := .empty}}x{{else}}{{$i}}{{$t}}{{end}}", "[][]\n"},
        {"{{$x := 1}}{{range $x = .none}}{{else}}{{$x}}{{end}}{{$x}}", "<no value><no value>\n"},
        {"{{range $i , $t := .tags}}{{$i}}{{$t}}{{end}}", "0v11v22v3\n"},
        {"{{range $k, $v := index .layers 0}}{{$k}} {{end}}", "note size \n"},
        {"{{range 3}}{{.}}{{end}}", "012\n"},
        {"{{range -1}}x{{else}}none{{end}}", "none\n"},
        {"{{range .tags}}{{if eq . \"v2\"}}{{break}}{{end}}{{.}}{{end}}", "v1\n"},
        {"{{range .tags}}{{if eq . \"v2\"}}{{continue}}{{end}}{{.}}{{end}}", "v1v3\n"},
        {"{{range .layers}}{{.size}}:{{$.size}} {{end}}", "1:42 2:42 \n"},
        {"{{if .yes}}y{{else}}n{{end}}{{if .none}}y{{else}}n{{end}}", "yn\n"},
        {"{{if .none}}a{{else if .empty}}b{{else if .tags}}c{{else}}d{{end}}", "c\n"},
        {"{{with .none}}a{{else with .size}}{{.}}{{end}}", "42\n"},
        {"{{with .digest}}{{.}}{{end}}{{with .none}}x{{else}}-{{end}}", "sha256:12-\n"},
        {"{{with $x := .size}}{{$x}}{{end}}", "42\n"},
        {"{{$x := .size}}{{$x}}{{$x = 7}}{{$x}}", "427\n"},
        {"{{$n := 0}}{{range .layers}}{{$n = .size}}{{end}}{{$n}}", "2\n"},
        {"{{len .tags}} {{len .digest}} {{len (index .layers 0)}}", "3 9 2\n"},
        {"{{index .tags 1}} {{index (index .layers 0).note \"org.example.x\"}}", "v2 a b\n"},
        {"{{(index .layers 0).size}}", "1\n"},
        {"{{slice .digest 7}} {{slice .digest 0 6}} {{slice .tags 1 2}}", "12 sha256 [v2]\n"},
        {"{{join .tags \", \"}}", "v1, v2, v3\n"},
        {"{{printf \"%s|%-5s|%5s|%05d|%x|%q|%v|%.2f|%%\" .digest \"a\" \"b\" 42 255 \"q\" .tags .half}}",
         "sha256:12|a    |    b|00042|ff|\"q\"|[v1 v2 v3]|0.50|%\n"},
        {"{{printf \"%3s|%-3s|%.1s|%+d|%t\" .word .word .word 3 true}}",
         "\u00e4bc|\u00e4bc|\u00e4|+3|true\n"},
        {"{{.digest | printf \"%d %s\" 1 | printf \"<%s>\"}}", "<1 sha256:12>\n"},
        {"{{print 1 2 \"a\" 3}}|{{println \"a\" 1}}|", "1 2a3|a 1\n|\n"},
        {"{{and .yes .size}} {{and .none .size}} {{or .none .size}} {{not .yes}}",
         "42 <no value> 42 false\n"},
        {"{{and .none (index .tags 9)}}", "<no value>\n"},
        {"{{eq .size 42}} {{eq .size 1 42}} {{ne .digest \"x\"}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge \"b\" "
         "\"a\"}}",
         "true true true true true false true\n"},
        {"a {{- .size -}} b {{- /* no */ -}} c", "a42bc\n"},
        {"x\n  {{- range .tags }}\n- {{ . }}\n  {{- end }}\n", "x\n- v1\n- v2\n- v3\n"},
        {"{{/* a comment */}}{{true}} {{-5}} {{`raw\\n`}} {{\"tab\\there \\u00e4 \\x41\"}}",
         "true -5 raw\\n tab\there \u00e4 A\n"},
        {"{{lower \"ABC\"}}{{upper .digest}}", "abcSHA256:12\n"},
    };
    check_rows(rows, COUNT(rows));
    CLEANUP(freep) char *whole = made_of("{{$}}");
    CHECK(whole && strstr(whole, "map[digest:sha256:12 empty:[]") == whole);
}

static void test_cli_format__has_what_users_of_other_tools_expect(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{.digest}}\\t{{.size}}\\nend\\x",
         "sha256:12\t42\nend\\x\n"}, /* as docker takes them in a shell's '' */
        {"{{range .tags}}{{.}}\\n{{end}}", "v1\nv2\nv3\n"},
        {"{{toJson .size}} {{jsonPretty .tags}}", "42 [\n  \"v1\",\n  \"v2\",\n  \"v3\"\n]\n"},
        {"{{join \"-\" .tags}} {{.tags | join \"-\"}}", "v1-v2-v3 v1-v2-v3\n"}, /* sprig's order */
        {"{{range split \"a/b\" \"/\"}}<{{.}}>{{end}}", "<a><b>\n"},
        {"{{truncate .digest 6}} {{trim \" x \"}}", "sha256 x\n"},
        {"{{default \"-\" .none}} {{.size | default 0}}", "- 42\n"},
        {"{{hasPrefix .digest \"sha256:\"}} {{contains .digest \"x\"}}", "true false\n"},
        {"{{.none.deeper.still}} {{(index .layers 1).note}}", "<no value> <no value>\n"},
    };
    check_rows(rows, COUNT(rows));
}

/* What a document may have, and this one has not, is null; anything else is a mistake still. */
static void test_cli_format__knows_what_may_be_there(void **state)
{
    (void)state;
    static const struct cli_field known[] = {
        {"error", "string", ""}, {"files[].title", "string", ""}, {"rate.limit", "number", ""}, {0}};
    static const struct row rows[] = {
        {"{{.error}}", "<no value>\n"},
        {"{{if .Error}}bad{{else}}good{{end}}", "good\n"},
        {"{{range .files}}{{.title}}{{else}}none{{end}}", "none\n"},
        {"{{.rate.limit}}", "<no value>\n"},
        {"{{.limit}}", NULL},
        {"{{.err}}", NULL},
        {"{{if .errors}}{{end}}", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(freep) char *made = made_knowing(rows[i].text, known);
        CHECK_STR_ROW(i, str_from(made ? made : ""), str_from(rows[i].made));
    }
}

static void test_cli_format__says_which_fields_it_asks_for(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool asks;
    } rows[] = {{"{{.digest}}", false},          {"{{.error}}", true},
                {"{{if .Error}}{{end}}", true},  {"error {{\"error\"}}", false},
                {"{{printf .x $.error}}", true}, {"{{json .}}", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct format *f = NULL;
        CHECK_OK(format_parse(rows[i].text, &f, &test_err));
        CHECK_ROW(i, format_asks(f, "error") == rows[i].asks);
        format_free(f);
    }
}

static void test_cli_format__says_where_a_mistake_is(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{.digest", "position 10: '}}' is missing"},
        {"{{", "position 3: '}}' is missing"},
        {"{{}}", "position 3: a value is missing"},
        {"ab{{.digest}", "position 12: '}' is not expected here"},
        {"{{.digset}}", "position 3: there is no field 'digset'; there are: digest, empty, half, layers, "
                        "none, size, tags, word, yes"},
        {"{{if .yes}}x", "position 3: this block has no {{end}}"},
        {"x{{end}}", "position 2: {{end}} without a block"},
        {"{{else}}", "position 1: {{else}} without a block"},
        {"{{if .yes}}{{else}}{{else}}{{end}}", "position 20: a second {{else}}"},
        {"{{jsn .}}", "position 3: no function is called 'jsn'; did you mean json?"},
        {"{{digest}}", "position 3: no function is called 'digest'; a field is .digest"},
        {"{{$x}}", "position 3: no variable is called '$x'"},
        {"{{$x := $x}}", "position 9: no variable is called '$x'"}, /* found by its fuzz target */
        {"{{$x = 1}}", "position 3: no variable is called '$x': := makes one"},
        {"{{$a, $b := 1}}{{$b}}", "position 3: two variables are for {{range}} alone"}, /* found likewise */
        {"{{if $a, $b := 1}}{{$b}}{{end}}", "position 6: two variables are for {{range}} alone"},
        {"{{range $a $b := .tags}}{{end}}", "position 9: no variable is called '$a'"},
        {"{{range $a, := .tags}}{{end}}", "position 9: no variable is called '$a'"},
        {"{{range $x := .tags}}{{end}}{{$x}}", "position 31: no variable is called '$x'"},
        {"{{index .tags 9}}", "position 3: index: 9 is beyond a list of 3"},
        {"{{index .tags \"a\"}}", "position 3: index: a text is no index of a list"},
        {"{{.digest.x}}", "position 3: 'x' is asked of a text, which has no fields"},
        {"{{.tags.x}}", "position 3: 'x' is asked of a list, which has no fields: take range, or index"},
        {"{{len}}", "position 3: len needs 1 value"},
        {"{{len 1 2}}", "position 3: len takes at most 1 value"},
        {"{{len 1}}", "position 3: len: a number has no length"},
        {"{{.size 1}}", "position 9: what stands before takes no values"},
        {"{{eq .size \"42\"}}", "position 3: eq: a number and a text are not compared"},
        {"{{lt .size .tags}}", "position 3: lt: numbers are compared, or texts, not a number and a list"},
        {"{{range .digest}}{{end}}", "position 3: range is over lists and objects, not a text"},
        {"{{(.size}}", "position 3: this bracket is not closed"},
        {"{{\"x}}", "position 3: the string does not end"},
        {"{{\"\\q\"}}", "position 4: no such escape; there are \\n \\t \\r \\\\ \\\" \\xHH \\uHHHH"},
        {"{{/* x }}", "position 3: the comment does not end"},
        {"{{printf \"%d\" .digest}}",
         "position 3: printf: %d does not print a text; there are %v %s %q %d %x %t %f %e %g"},
        {"{{printf \"%s\"}}", "position 3: printf: %s has no value"},
        {"{{printf \"x\" 1 2}}", "position 3: printf: 2 values too many"},
        {"{{printf \"%\"}}", "position 3: printf: a '%' is not complete"},
        {"{{printf \"%99999s\" 1}}", "position 3: printf: a '%' is not complete"},
        {"{{break}}", "position 3: this belongs inside {{range}}"},
        {"{{define \"x\"}}{{end}}", "position 3: templates inside templates are not known here"},
        {"{{1.2.3}}", "position 3: '1.2.3' is no number"},
        {"{{.a.}}", "position 6: a name is missing behind '.'; a key with other letters needs index"},
    };
    check_rows(rows, COUNT(rows));
}

static void test_cli_format__ends_where_nesting_is_too_deep(void **state)
{
    (void)state;
    char text[16 * 1024];
    size_t n = 0;
    for (size_t i = 0; i < 500; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "{{if .yes}}");
    CHECK(!made_of(text) && strstr(test_err.message, "too deep"));
    n = (size_t)snprintf(text, sizeof(text), "{{");
    memset(text + n, '(', 8000);
    text[n + 8000] = '\0';
    CHECK(!made_of(text) && strstr(test_err.message, "too deep"));
    n = 0;
    for (size_t i = 0; i < 500; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, i ? "{{else if .yes}}" : "{{if .yes}}");
    CHECK(!made_of(text) && strstr(test_err.message, "too deep"));
}

RUN_TESTS(TEST(test_cli_format__prints_as_go_does),
          TEST(test_cli_format__has_what_users_of_other_tools_expect),
          TEST(test_cli_format__knows_what_may_be_there),
          TEST(test_cli_format__says_which_fields_it_asks_for),
          TEST(test_cli_format__says_where_a_mistake_is),
          TEST(test_cli_format__ends_where_nesting_is_too_deep))
