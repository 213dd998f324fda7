// Draws bound to their place, the same numbers as tauten/draws.py: Philox4x32-10 (Salmon et al. 2011) with the counter
// (block in row, row, step, site) and the member's seed as key. Vectors run over rows.
#pragma once

#include "vector.h"

namespace tauten {

struct Key {
    uint32_t low, high;
};

struct Block {
    U word[4];
};

struct Wide {
    U high, low;
};

inline Wide multiply(U c, uint32_t m) {
    const U factor = splat(m);
    const W even = multiply_even(c, factor), odd = multiply_even((U)((W)c >> 32), factor);
    const W upper = W{} + 0xFFFFFFFF00000000ull, lower = W{} + 0xFFFFFFFFull;
    return {(U)((even >> 32) | (odd & upper)), (U)((even & lower) | (odd << 32))};
}

inline Block philox(U c0, U c1, U c2, U c3, Key key) {
    for (int round = 0; round < 10; round++) {
        const Wide p0 = multiply(c0, 0xD2511F53u), p1 = multiply(c2, 0xCD9E8D57u);
        c0 = p1.high ^ c1 ^ key.low;
        c1 = p1.low;
        c2 = p0.high ^ c3 ^ key.high;
        c3 = p0.low;
        key.low += 0x9E3779B9u;
        key.high += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// A place in the training step: the draws of one member at one step and site.
struct Place {
    Key key;
    uint32_t step, site;

    // Block `index` of the rows row, row + 1, ... row + LANES - 1.
    Block block(uint32_t index, uint32_t row) const {
        return philox(splat(index), (U)lane_numbers() + row, splat(step), splat(site), key);
    }

    // The blocks index, index + 1, ... of one row.
    Block along(uint32_t index, uint32_t row) const {
        return philox((U)lane_numbers() + index, splat(row), splat(step), splat(site), key);
    }
};

// Uniform on [0, 1) in steps of 2^-24.
inline V uniform(U word) { return convert((I)(word >> 8)) * 5.9604644775390625e-8f; }

struct Pair {
    V a, b;
};

// Two standard normals from two words (Box & Muller 1958).
inline Pair normals(U a, U b) {
    const V radius = root(logarithm(convert((I)(a >> 8) + 1) * 5.9604644775390625e-8f) * -2.0f);
    const Circle at = circle(convert((I)(b >> 8)) * (float)(2 * 3.14159265358979323846 / 16777216));
    return {radius * at.cosine, radius * at.sine};
}

inline V normal(const Block& block, int element) {
    const Pair pair = normals(block.word[element / 2 * 2], block.word[element / 2 * 2 + 1]);
    return element % 2 ? pair.b : pair.a;
}

// Where the draws of log Gamma(shape, 1) come from.
struct GammaSites {
    uint32_t normal, accept, boost;
};

// log of a Gamma(shape, 1) draw for each of LANES rows, by Marsaglia & Tsang (2000), at most twelve tries.
inline V log_gamma(float shape, Key key, uint32_t step, GammaSites site, uint32_t row) {
    constexpr int TRIES = 12;
    const float a = shape < 1e-4f ? 1e-4f : shape, d = a + 1 - (float)(1.0 / 3);
    I found{};
    V taken{};
    for (int i = 0; i < TRIES; i++) {
        const V z = normal(Place{key, step, site.normal}.block(i / 4, row), i % 4);
        const V base = 1.0f + z / splat(std::sqrt(9 * d));
        const V v = base * base * base;
        const V log_v = logarithm(pick(v > 1e-30f, v, splat(1e-30f)));
        const V u = 1.0f - uniform(Place{key, step, site.accept}.block(i / 4, row).word[i % 4]);
        const I accepted = (v > 0.0f) & (logarithm(u) < 0.5f * z * z + d - d * v + d * log_v);
        const V value = log_v + std::log(d);
        if (i == 0) taken = value;
        taken = pick(accepted & ~found, value, taken);
        found |= accepted;
        int all = -1;
        for (int lane = 0; lane < LANES; lane++) all &= found[lane];
        if (all) break;
    }
    const V boost = logarithm(1.0f - uniform(Place{key, step, site.boost}.block(0, row).word[0])) / a;
    return taken + boost;
}

// A random order of 0 ... n - 1: a stable sort of 32-bit draws, least significant digit first.
inline void permutation(const Place& at, int64_t n, uint32_t* order, uint32_t* spare) {
    uint32_t *keys = spare, *other = spare + n, *moved = spare + 2 * n;
    for (int64_t block = 0; block * 4 < n; block += LANES) {
        const Block drawn = at.along((uint32_t)block, 0);
        for (int lane = 0; lane < LANES; lane++)
            for (int word = 0; word < 4; word++) {
                const int64_t i = (block + lane) * 4 + word;
                if (i < n) keys[i] = drawn.word[word][lane];
            }
    }
    for (int64_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    uint32_t* source = order;
    constexpr int DIGITS = 8;
    for (int shift = 0; shift < 32; shift += DIGITS) {
        int64_t start[(1 << DIGITS) + 1] = {};
        for (int64_t i = 0; i < n; i++) start[((keys[i] >> shift) & 0xFF) + 1]++;
        for (int i = 0; i < 1 << DIGITS; i++) start[i + 1] += start[i];
        for (int64_t i = 0; i < n; i++) {
            const int64_t to = start[(keys[i] >> shift) & 0xFF]++;
            other[to] = keys[i];
            moved[to] = source[i];
        }
        std::swap(keys, other);
        std::swap(source, moved);
    }
}

}  // namespace tauten
