/* SPDX-License-Identifier: MPL-2.0
 * The call that seals.c stands around: the linker gives it those that our objects make. */
#ifndef GROVE_TESTS_SIMULATION_SEALS_H
#define GROVE_TESTS_SIMULATION_SEALS_H

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __real_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key);
int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
