/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fault_set(struct fault *fault, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fault->text, sizeof(fault->text), format, arguments);
    va_end(arguments);
}

enum grove_status fault_errno(struct fault *fault, const char *name, const char *action, int error)
{
    char text[96];

    fault_set(fault, "%s: %s: %s", name, action, strerror_r(error, text, sizeof(text)));
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
        return GROVE_FULL;
    }
    return error == EACCES || error == EPERM || error == EROFS ? GROVE_PERMISSION : GROVE_IO;
}
