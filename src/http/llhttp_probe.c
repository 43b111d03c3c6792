/* http/llhttp_probe.c - run by the build: 0 when this llhttp was built strict, so that a CR alone ends no
 * header line. A system's library that fails here is passed over for the packaged sources. */
#include <llhttp.h>

int main(void)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX:\rContent-Length: 3\r\n\r\n";
    llhttp_settings_t settings;
    llhttp_t parser;
    llhttp_settings_init(&settings);
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    return llhttp_execute(&parser, request, sizeof(request) - 1) == HPE_OK;
}
