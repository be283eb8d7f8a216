/* The texts of the error codes, from the map in djp/error.h. */
#include "djp/error.h"

const char *
djp_error_text(int code)
{
    switch (code) {
#define ERROR__CASE(name, value, text) \
    case value:                        \
        return text;
        DJP_ERROR_MAP(ERROR__CASE)
#undef ERROR__CASE
    default:
        return "unknown error";
    }
}
