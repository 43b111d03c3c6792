/* cli/forms.h - what the values of options have to look like: a mistake is told before anybody is asked, and
 * is one of the command line (exit code 2). */
#ifndef CLI_FORMS_H
#define CLI_FORMS_H

#include <berth/error.h>

/* Whether @text is what @value stands for in the option's row: "OS/ARCH[/VARIANT]", "KEY=VALUE", "TAG",
 * "TYPE" (a media type), "DIGEST"; any other word, and NULL, stand for everything. BERTH_E_INVALID. */
int form_check(const char *value, const char *text, berth_error *err);

#endif
