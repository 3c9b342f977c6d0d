//! Exponential, logarithm and the quantile of the normal distribution, by additions, multiplications,
//! divisions and square roots alone: those are the same on every machine, while the ones of a system's
//! library differ in the last digit. Nothing else belongs here.

/// Upper part of the natural logarithm of two, exact in a product with any exponent.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
/// What is missing from it.
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Reciprocals of the factorials from 0 to 14.
const RECIPROCALS: [f64; 15] = [
    1.0,
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
    1.0 / 87_178_291_200.0,
];

/// Value of a polynomial, its lowest coefficient first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The exponential function; beyond ±700 it stays what it is there.
#[must_use]
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let power = (x / std::f64::consts::LN_2).round();
    let rest = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    polynomial(&RECIPROCALS, rest) * power_of_two(power)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an integer between -1,011 and 1,011"
)]
fn power_of_two(power: f64) -> f64 {
    f64::from_bits(((power as i64 + 1_023) as u64) << 52)
}

/// The natural logarithm of a positive number that is not tiny; 0 for anything else.
#[must_use]
pub(super) fn ln(x: f64) -> f64 {
    if !(x.is_normal() && x > 0.0) {
        return 0.0;
    }
    let bits = x.to_bits();
    // Without sign the exponent has 11 bits.
    let exponent = i32::try_from(bits >> 52).unwrap_or(1_023) - 1_023;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1_023 << 52));
    let (mantissa, exponent) = if mantissa > std::f64::consts::SQRT_2 {
        (mantissa / 2.0, exponent + 1)
    } else {
        (mantissa, exponent)
    };
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut sum = 0.0;
    for odd in (1..=25_u32).rev().step_by(2) {
        sum = sum * square + 1.0 / f64::from(odd);
    }
    2.0 * ratio * sum + f64::from(exponent) * LN_2_LOW + f64::from(exponent) * LN_2_HIGH
}

/// The number below which a standard normal value lies with this probability (0 and 1 excluded), by
/// algorithm AS 241 of the Royal Statistical Society: right to about 16 digits.
#[must_use]
pub(super) fn normal(probability: f64) -> f64 {
    let q = probability - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE_UPPER, r) / polynomial(&CENTRE_LOWER, r);
    }
    let tail = if q < 0.0 { probability } else { 1.0 - probability };
    let r = (-ln(tail)).sqrt();
    let value = if r <= 5.0 {
        polynomial(&MIDDLE_UPPER, r - 1.6) / polynomial(&MIDDLE_LOWER, r - 1.6)
    } else {
        polynomial(&TAIL_UPPER, r - 5.0) / polynomial(&TAIL_LOWER, r - 5.0)
    };
    if q < 0.0 { -value } else { value }
}

const CENTRE_UPPER: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const CENTRE_LOWER: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const MIDDLE_UPPER: [f64; 8] = [
    1.423_437_110_749_683_6,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const MIDDLE_LOWER: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const TAIL_UPPER: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const TAIL_LOWER: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_system_to_fourteen_digits() {
        for step in -400..=400 {
            let x = f64::from(step) / 7.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp {x}: {} {}", exp(x), x.exp());
        }
        for x in [1e-300, 1e-9, 0.3, 0.999, 1.0, 1.5, std::f64::consts::E, 12_345.678, 1e200] {
            assert!((ln(x) - x.ln()).abs() <= 1e-14 * x.ln().abs().max(1.0), "ln {x}: {} {}", ln(x), x.ln());
        }
        assert_eq!((ln(0.0), ln(-1.0), ln(f64::NAN)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, expected) in [
            (0.5, 0.0),
            (0.95, 1.644_853_626_951_472_2),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813),
            (0.05, -1.644_853_626_951_472_2),
            (1e-9, -5.997_807_015_007_687),
            (1e-15, -7.941_345_326_170_998),
        ] {
            let found = normal(probability);
            assert!((found - expected).abs() < 1e-13, "{probability}: {found}");
        }
    }
}
