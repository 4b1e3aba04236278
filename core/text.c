/* SPDX-License-Identifier: MPL-2.0
 * What a string may be. */
#include "core/text.h"

/* Eight bytes at once: all of them ASCII and none of them 0. */
static bool is_plain(const uint8_t *eight)
{
    uint64_t word;

    memcpy(&word, eight, sizeof(word));
    return ((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) == 0;
}

/* The size of the character at the front, or 0.  The second byte's range keeps out overlong forms,
 * surrogates and what lies past U+10FFFF. */
static size_t character_size(const uint8_t *text, size_t size)
{
    uint8_t first = text[0];

    if (first < 0x80) {
        return first != 0;
    }

    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t wanted = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first < 0xc2 || first > 0xf4 || size < wanted || text[1] < least || text[1] > most) {
        return 0;
    }
    for (size_t i = 2; i < wanted; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return wanted;
}

bool text_is_valid(struct bytes text)
{
    size_t at = 0;

    while (at < text.size) {
        if (text.size - at >= 8 && is_plain(text.data + at)) {
            at += 8;
            continue;
        }
        size_t size = character_size(text.data + at, text.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}
