/* SPDX-License-Identifier: MPL-2.0
 * Every purpose that something is signed or hashed for begins with a prefix of its own, so that
 * bytes made for one can never stand for another.  The hashed tree has prefixes of one byte
 * (core/seal.c). The inputs that follow each are in the table of schema/PROTOCOL.md. */
#ifndef GROVE_CORE_PURPOSE_H
#define GROVE_CORE_PURPOSE_H

/* All with their terminating NUL: sizeof counts it. */
#define PURPOSE_SEAL "grove.v1.seal"
#define PURPOSE_CERTIFICATE "grove.v1.cert"
#define PURPOSE_REVOCATION "grove.v1.revoke"
#define PURPOSE_ROOT "grove.v1.root"
#define PURPOSE_CHILD "grove.v1.child"
#define PURPOSE_REQUEST "grove.v1.request"
#define PURPOSE_INPUTS "grove.v1.inputs"
#define PURPOSE_TERMS "grove.v1.terms"
#define PURPOSE_JOIN "grove.v1.join"

#endif
