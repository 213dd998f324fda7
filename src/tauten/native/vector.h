// One vector of floats, whatever its width on this machine, and the functions that the engine needs of it.
//
// Everything above is written once for LANES floats. What GCC's vector extensions can't say (fused multiply-add, square
// root, 32 x 32 -> 64 bit products) stands here once for each instruction set.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define TAUTEN_LANES 16
#elif defined(__AVX2__)
#define TAUTEN_LANES 8
#else
#define TAUTEN_LANES 4
#endif

#if defined(__AVX512BF16__)
#define TAUTEN_BF16 1
#else
#define TAUTEN_BF16 0
#endif

namespace tauten {

constexpr int LANES = TAUTEN_LANES;
constexpr int PAD = 16;  // floats; every row of every matrix begins at a multiple of it, so at a cache line

typedef float V __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t I __attribute__((vector_size(LANES * 4), may_alias));
typedef uint32_t U __attribute__((vector_size(LANES * 4), may_alias));
typedef uint64_t W __attribute__((vector_size(LANES * 4), may_alias));

inline int padded(int n) { return (n + PAD - 1) / PAD * PAD; }
inline V load(const float* p) { return *reinterpret_cast<const V*>(p); }
inline void store(float* p, V v) { *reinterpret_cast<V*>(p) = v; }
inline U load(const uint32_t* p) { return *reinterpret_cast<const U*>(p); }
inline void store(uint32_t* p, U v) { *reinterpret_cast<U*>(p) = v; }
inline V splat(float x) { return x - V{}; }
inline U splat(uint32_t x) { return x - U{}; }
inline V as_float(I v) { return reinterpret_cast<V&>(v); }
inline I as_int(V v) { return reinterpret_cast<I&>(v); }
inline V convert(I v) { return __builtin_convertvector(v, V); }
inline V pick(I on, V a, V b) { return on ? a : b; }

template <int... i>
inline I count_up(std::integer_sequence<int, i...>) {
    return I{i...};
}
inline I lane_numbers() { return count_up(std::make_integer_sequence<int, LANES>{}); }

#if TAUTEN_LANES == 16
inline V fma(V a, V b, V c) { return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
inline V root(V a) { return (V)_mm512_sqrt_ps((__m512)a); }
inline float sum(V a) { return _mm512_reduce_add_ps((__m512)a); }
inline W multiply_even(U a, U b) { return (W)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
#elif TAUTEN_LANES == 8
#if defined(__FMA__)
inline V fma(V a, V b, V c) { return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
inline V fma(V a, V b, V c) { return a * b + c; }
#endif
inline V root(V a) { return (V)_mm256_sqrt_ps((__m256)a); }
inline float sum(V a) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
inline W multiply_even(U a, U b) { return (W)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
#else
#if defined(__aarch64__)
inline V fma(V a, V b, V c) { return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
inline V root(V a) { return (V)vsqrtq_f32((float32x4_t)a); }
#elif defined(__SSE2__)
inline V fma(V a, V b, V c) { return a * b + c; }
inline V root(V a) { return (V)_mm_sqrt_ps((__m128)a); }
#else
inline V fma(V a, V b, V c) { return a * b + c; }
inline V root(V a) { return V{std::sqrt(a[0]), std::sqrt(a[1]), std::sqrt(a[2]), std::sqrt(a[3])}; }
#endif
inline float sum(V a) { return (a[0] + a[2]) + (a[1] + a[3]); }
#if defined(__SSE2__)
inline W multiply_even(U a, U b) { return (W)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#else
inline W multiply_even(U a, U b) { return ((W)a & 0xFFFFFFFFull) * ((W)b & 0xFFFFFFFFull); }
#endif
#endif

// A comparison's lanes as bits, and back.
#if TAUTEN_LANES == 16
inline uint16_t bits_of(I on) { return _mm512_movepi32_mask((__m512i)on); }
inline I lanes_of(uint16_t bits) { return (I)_mm512_movm_epi32(bits); }
#else
inline uint16_t bits_of(I on) {
    uint16_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint16_t)((on[i] & 1) << i);
    return bits;
}
inline I lanes_of(uint16_t bits) { return ((I{} + bits) & ((I{} + 1) << lane_numbers())) != 0; }
#endif

inline V absolute(V a) { return as_float(as_int(a) & 0x7FFFFFFF); }
inline V largest(V a, V b) { return pick(a < b, b, a); }  // keeps a NaN in a

// ---- bfloat16: two numbers in a word, the lower half first ----

#if TAUTEN_BF16
inline U widened(V a) { return (U)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)a)); }
inline U pairs(V low, V high) { return widened(low) | (widened(high) << 16); }
inline U neighbours(V first, V second) { return (U)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }
inline V pair_fma(U a, U b, V c) { return (V)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b); }
#endif

// ---- elementary functions, to a few units in the last place ----

inline V horner(V, V sum) { return sum; }
template <class... Rest>
inline V horner(V x, V sum, float next, Rest... rest) {
    return horner(x, fma(sum, x, splat(next)), rest...);
}

struct Reduced {
    V r;  // x - n ln 2, within +-0.35
    V power;  // 2^n
};

inline Reduced reduce(V x) {
    x = pick(x < -87.0f, splat(-87.0f), pick(x > 88.0f, splat(88.0f), x));
    const V shifted = fma(x, splat(1.44269504f), splat(12582912.0f));  // 1.5 * 2^23: rounds to a whole number
    const V n = shifted - 12582912.0f;
    const V r = fma(n, splat(-0.693145752f), x);
    const I power = (as_int(shifted) << 23) + 0x3F800000;
    return {fma(n, splat(-1.42860677e-6f), r), as_float(power)};
}

// e^r - 1 by its Taylor series to the eighth power.
inline V small_expm1(V r) {
    const V tail = horner(r, splat(1.0f / 40320), 1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f);
    return fma(tail * r, r, r);
}

inline V exponential(V x) {
    const Reduced at = reduce(x);
    return pick(x == x, fma(small_expm1(at.r), at.power, at.power), x);
}

inline V expm1(V x) {
    const Reduced at = reduce(x);
    return pick(x == x, fma(small_expm1(at.r), at.power, at.power - 1.0f), x);
}

// Natural logarithm of a positive normal number: log m = 2 artanh((m - 1) / (m + 1)) with m in [sqrt 1/2, sqrt 2).
inline V logarithm(V x) {
    const I bits = as_int(x) - 0x3F3504F3;
    const V n = convert(bits >> 23);
    const V m = as_float((bits & 0x7FFFFF) + 0x3F3504F3);
    const V s = (m - 1.0f) / (m + 1.0f);
    const V z = s * s;
    const V series = horner(z, splat(2.0f / 11), 2.0f / 9, 2.0f / 7, 2.0f / 5, 2.0f / 3);
    const V low = fma(series * z, s, n * 1.42860677e-6f);
    return fma(n, splat(0.693145752f), fma(s, splat(2.0f), low));
}

struct Circle {
    V cosine, sine;
};

// Cosine and sine of an angle in [0, 2 pi].
inline Circle circle(V angle) {
    const V shifted = fma(angle, splat(0.636619772f), splat(12582912.0f));
    const V n = shifted - 12582912.0f;
    const V r = fma(n, splat(4.37113883e-8f), fma(n, splat(-1.57079637f), angle));
    const V z = r * r;
    const V s = fma(horner(z, splat(-1.0f / 39916800), 1.0f / 362880, -1.0f / 5040, 1.0f / 120, -1.0f / 6) * z, r, r);
    const V c = horner(z, splat(1.0f / 40320), -1.0f / 720, 1.0f / 24, -0.5f, 1.0f);
    const I quadrant = as_int(shifted) & 3;
    const I odd = -(quadrant & 1);
    const V cosine = pick(odd, s, c), sine = pick(odd, c, s);
    const I flip_cosine = ((quadrant + 1) & 2) << 30, flip_sine = (quadrant & 2) << 30;
    return {as_float(as_int(cosine) ^ flip_cosine), as_float(as_int(sine) ^ flip_sine)};
}

inline V hyperbolic_tangent(V x) {
    const V t = expm1(2.0f * absolute(x));
    return as_float(as_int(t / (t + 2.0f)) | (as_int(x) & (int32_t)0x80000000));
}

inline V sigmoid(V x) { return 1.0f / (1.0f + exponential(-x)); }

// Error function: an odd polynomial for |x| < 1 and 1 - e^q(|x|) beyond. The coefficients are weighted least squares fits
// to erf and log erfc; tests/native/check.cpp holds them against the C library.
inline V error_function(V x) {
    const V z = x * x;
    const V near = fma(
        horner(
            z, splat(7.85383454e-5f), -8.01018556e-4f, 5.18832682e-3f, -2.6853811e-2f, 0.112835854f, -0.37612626f,
            0.128379166f
        ),
        x, x
    );
    const V a = absolute(x), t = pick(a > 4.0f, splat(4.0f), a);
    const V q = horner(
        t, splat(1.88826380e-4f), -2.97246827e-3f, 2.19405331e-2f, -0.103327557f, -0.637882829f, -1.12725163f,
        -3.00396670e-4f
    );
    const V far = as_float(as_int(1.0f - exponential(q)) | (as_int(x) & (int32_t)0x80000000));
    return pick(a < 1.0f, near, far);
}

// ---- transposition of a square block of LANES x LANES ----

template <int h, int... c>
inline void swap_blocks(V* rows, std::integer_sequence<int, c...>) {
    for (int i = 0; i < LANES; i++) {
        if (i & h) continue;
        const V a = rows[i], b = rows[i + h];
        rows[i] = __builtin_shufflevector(a, b, ((c & h) ? LANES + c - h : c)...);
        rows[i + h] = __builtin_shufflevector(a, b, ((c & h) ? LANES + c : c + h)...);
    }
}

inline void transpose(V* rows) {
    constexpr auto columns = std::make_integer_sequence<int, LANES>{};
#if TAUTEN_LANES == 16
    swap_blocks<8>(rows, columns);
#endif
#if TAUTEN_LANES >= 8
    swap_blocks<4>(rows, columns);
#endif
    swap_blocks<2>(rows, columns);
    swap_blocks<1>(rows, columns);
}

}  // namespace tauten
