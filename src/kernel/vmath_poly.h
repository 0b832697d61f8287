/* Written by tools/fit_vmath.py. Horner's rule, the same sequence on every instruction set. */
#if BP__T == 4
/* (e^r - 1 - r) / r^2 on [-0.3475, 0.3475]: weighted error 1.7e-10 */
BP__INLINE V BP__TN(vm_poly_exp)(V x) {
    V y = v_set(0.000198912473);
    y = v_fma(y, x, v_set(0.00139338810));
    y = v_fma(y, x, v_set(0.00833331069));
    y = v_fma(y, x, v_set(0.0416664628));
    y = v_fma(y, x, v_set(0.166666667));
    y = v_fma(y, x, v_set(0.500000001));
    return y;
}
/* (2^r - 1) / r on [-0.5, 0.5]: weighted error 5.5e-9 */
BP__INLINE V BP__TN(vm_poly_exp2)(V x) {
    V y = v_set(0.000154531629);
    y = v_fma(y, x, v_set(0.00133908634));
    y = v_fma(y, x, v_set(0.00961808256));
    y = v_fma(y, x, v_set(0.0555035711));
    y = v_fma(y, x, v_set(0.240226508));
    y = v_fma(y, x, v_set(0.693147188));
    return y;
}
/* (log((1 + s) / (1 - s)) / s - 2) / z, z = s^2 on [0, 0.02955]: weighted error 2.9e-9 */
BP__INLINE V BP__TN(vm_poly_log)(V x) {
    V y = v_set(0.295839198);
    y = v_fma(y, x, v_set(0.399886929));
    y = v_fma(y, x, v_set(0.666666853));
    return y;
}
/* ((log((1 + s) / (1 - s)) / s - 2) / z - 2/3) / z, z = s^2 on [0, 0.02955]: weighted error 7.8e-11 */
BP__INLINE V BP__TN(vm_poly_log_tail)(V x) {
    V y = v_set(0.230514077);
    y = v_fma(y, x, v_set(0.285621661));
    y = v_fma(y, x, v_set(0.400000152));
    return y;
}
/* (sin(r) / r - 1) / z, z = r^2 on [0, 0.6175]: weighted error 2.0e-11 */
BP__INLINE V BP__TN(vm_poly_sin)(V x) {
    V y = v_set(2.72496038e-6);
    y = v_fma(y, x, v_set(-0.000198400843));
    y = v_fma(y, x, v_set(0.00833333187));
    y = v_fma(y, x, v_set(-0.166666667));
    return y;
}
/* (cos(r) - 1 + z / 2) / z^2, z = r^2 on [0, 0.6175]: weighted error 1.2e-9 */
BP__INLINE V BP__TN(vm_poly_cos)(V x) {
    V y = v_set(2.45476763e-5);
    y = v_fma(y, x, v_set(-0.00138883018));
    y = v_fma(y, x, v_set(0.0416666647));
    return y;
}
/* (atan(t) / t - 1) / z, z = t^2 on [0, 0.1717]: weighted error 2.7e-9 */
BP__INLINE V BP__TN(vm_poly_atan)(V x) {
    V y = v_set(-0.0645037735);
    y = v_fma(y, x, v_set(0.107432634));
    y = v_fma(y, x, v_set(-0.142639123));
    y = v_fma(y, x, v_set(0.199995392));
    y = v_fma(y, x, v_set(-0.333333318));
    return y;
}
/* (asin(x) / x - 1) / z, z = x^2 on [0, 0.25]: weighted error 1.0e-9 */
BP__INLINE V BP__TN(vm_poly_asin)(V x) {
    V y = v_set(0.0336908472);
    y = v_fma(y, x, v_set(0.0171492384));
    y = v_fma(y, x, v_set(0.0311006627));
    y = v_fma(y, x, v_set(0.0445994015));
    y = v_fma(y, x, v_set(0.0750009454));
    y = v_fma(y, x, v_set(0.166666663));
    return y;
}
/* (sinh(x) / x - 1) / z, z = x^2 on [0, 1]: weighted error 1.7e-10 */
BP__INLINE V BP__TN(vm_poly_sinh)(V x) {
    V y = v_set(2.80628026e-6);
    y = v_fma(y, x, v_set(0.000198381020));
    y = v_fma(y, x, v_set(0.00833333968));
    y = v_fma(y, x, v_set(0.166666666));
    return y;
}
/* erf(x) / x - 1, z = x^2 on [0, 1]: weighted error 1.2e-9 */
BP__INLINE V BP__TN(vm_poly_erf)(V x) {
    V y = v_set(7.87587506e-5);
    y = v_fma(y, x, v_set(-0.000801686429));
    y = v_fma(y, x, v_set(0.00518908742));
    y = v_fma(y, x, v_set(-0.0268542120));
    y = v_fma(y, x, v_set(0.112835947));
    y = v_fma(y, x, v_set(-0.376126267));
    y = v_fma(y, x, v_set(0.128379166));
    return y;
}
/* log(erfc(1 + u)) on [0, 3]: weighted error 3.2e-9 */
BP__INLINE V BP__TN(vm_poly_log_erfc)(V x) {
    V y = v_set(1.63715141e-6);
    y = v_fma(y, x, v_set(-3.29608314e-5));
    y = v_fma(y, x, v_set(0.000320239566));
    y = v_fma(y, x, v_set(-0.00205430096));
    y = v_fma(y, x, v_set(0.0100778080));
    y = v_fma(y, x, v_set(-0.0415757404));
    y = v_fma(y, x, v_set(-0.843104742));
    y = v_fma(y, x, v_set(-2.63896770));
    y = v_fma(y, x, v_set(-1.84960551));
    return y;
}
/* (f(t) - f(0)) / t, f = (1 + 2 a) e^(a^2) erfc(a), t = (a - 2) / (a + 2) on [-0.61, 0.68]: weighted error 2.5e-9 */
BP__INLINE V BP__TN(vm_poly_erfcx)(V x) {
    V y = v_set(0.000234382122);
    y = v_fma(y, x, v_set(-0.000328460158));
    y = v_fma(y, x, v_set(-0.00148309449));
    y = v_fma(y, x, v_set(0.00123035012));
    y = v_fma(y, x, v_set(0.00873019846));
    y = v_fma(y, x, v_set(-0.00802835077));
    y = v_fma(y, x, v_set(-0.0542207750));
    y = v_fma(y, x, v_set(0.164050999));
    y = v_fma(y, x, v_set(-0.166030377));
    y = v_fma(y, x, v_set(-0.0927638243));
    return y;
}
/* lgamma(1 + u) / u on [-0.5, 0.5]: weighted error 2.2e-9 */
BP__INLINE V BP__TN(vm_poly_lgamma1)(V x) {
    V y = v_set(-0.166168869);
    y = v_fma(y, x, v_set(0.176718265));
    y = v_fma(y, x, v_set(-0.0329418533));
    y = v_fma(y, x, v_set(0.0368487901));
    y = v_fma(y, x, v_set(-0.100044581));
    y = v_fma(y, x, v_set(0.109705427));
    y = v_fma(y, x, v_set(-0.110362078));
    y = v_fma(y, x, v_set(0.124482614));
    y = v_fma(y, x, v_set(-0.144102310));
    y = v_fma(y, x, v_set(0.169612541));
    y = v_fma(y, x, v_set(-0.207384319));
    y = v_fma(y, x, v_set(0.270579508));
    y = v_fma(y, x, v_set(-0.400685643));
    y = v_fma(y, x, v_set(0.822467042));
    y = v_fma(y, x, v_set(-0.577215665));
    return y;
}
/* lgamma(2 + u) / u on [-0.5, 1]: weighted error 7.0e-9 */
BP__INLINE V BP__TN(vm_poly_lgamma2)(V x) {
    V y = v_set(4.35766232e-5);
    y = v_fma(y, x, v_set(-0.000207585254));
    y = v_fma(y, x, v_set(0.000535863159));
    y = v_fma(y, x, v_set(-0.00121009585));
    y = v_fma(y, x, v_set(0.00288787990));
    y = v_fma(y, x, v_set(-0.00738207512));
    y = v_fma(y, x, v_set(0.0205807552));
    y = v_fma(y, x, v_set(-0.0673525140));
    y = v_fma(y, x, v_set(0.322467040));
    y = v_fma(y, x, v_set(0.422784337));
    return y;
}
#elif BP__T == 8
/* (e^r - 1 - r) / r^2 on [-0.3475, 0.3475]: weighted error 1.3e-17 */
BP__INLINE V BP__TN(vm_poly_exp)(V x) {
    V y = v_set(2.510063446187849699e-8);
    y = v_fma(y, x, v_set(2.762041219449885239e-7));
    y = v_fma(y, x, v_set(2.755726793523192714e-6));
    y = v_fma(y, x, v_set(0.00002480152061356622121));
    y = v_fma(y, x, v_set(0.0001984126986339221336));
    y = v_fma(y, x, v_set(0.001388888891765401531));
    y = v_fma(y, x, v_set(0.008333333333329993863));
    y = v_fma(y, x, v_set(0.04166666666662324403));
    y = v_fma(y, x, v_set(0.1666666666666666747));
    y = v_fma(y, x, v_set(0.5000000000000001049));
    return y;
}
/* (2^r - 1) / r on [-0.5, 0.5]: weighted error 8.8e-18 */
BP__INLINE V BP__TN(vm_poly_exp2)(V x) {
    V y = v_set(4.454960598186518394e-10);
    y = v_fma(y, x, v_set(7.072585949269223700e-9));
    y = v_fma(y, x, v_set(1.017806244584577352e-7));
    y = v_fma(y, x, v_set(1.321544258792168965e-6));
    y = v_fma(y, x, v_set(0.00001525273382983611839));
    y = v_fma(y, x, v_set(0.0001540353044173605015));
    y = v_fma(y, x, v_set(0.001333355814641693531));
    y = v_fma(y, x, v_set(0.009618129107606888527));
    y = v_fma(y, x, v_set(0.05550410866482159434));
    y = v_fma(y, x, v_set(0.2402265069591009822));
    y = v_fma(y, x, v_set(0.6931471805599453094));
    return y;
}
/* (log((1 + s) / (1 - s)) / s - 2) / z, z = s^2 on [0, 0.02955]: weighted error 4.8e-18 */
BP__INLINE V BP__TN(vm_poly_log)(V x) {
    V y = v_set(0.1462164980661788271);
    y = v_fma(y, x, v_set(0.1533130008850682448));
    y = v_fma(y, x, v_set(0.1818290183046162829));
    y = v_fma(y, x, v_set(0.2222221096008000679));
    y = v_fma(y, x, v_set(0.2857142862704783242));
    y = v_fma(y, x, v_set(0.3999999999989713581));
    y = v_fma(y, x, v_set(0.6666666666666669769));
    return y;
}
/* ((log((1 + s) / (1 - s)) / s - 2) / z - 2/3) / z, z = s^2 on [0, 0.02955]: weighted error 1.4e-19 */
BP__INLINE V BP__TN(vm_poly_log_tail)(V x) {
    V y = v_set(0.1291815471558303191);
    y = v_fma(y, x, v_set(0.1328558965515870764));
    y = v_fma(y, x, v_set(0.1538558588253580009));
    y = v_fma(y, x, v_set(0.1818180809508874905));
    y = v_fma(y, x, v_set(0.2222222227203810080));
    y = v_fma(y, x, v_set(0.2857142857133643881));
    y = v_fma(y, x, v_set(0.4000000000000002779));
    return y;
}
/* (sin(r) / r - 1) / z, z = r^2 on [0, 0.6175]: weighted error 8.2e-21 */
BP__INLINE V BP__TN(vm_poly_sin)(V x) {
    V y = v_set(-7.586633672657065859e-13);
    y = v_fma(y, x, v_set(1.605853054213250048e-10));
    y = v_fma(y, x, v_set(-2.505210622565012185e-8));
    y = v_fma(y, x, v_set(2.755731921931958764e-6));
    y = v_fma(y, x, v_set(-0.0001984126984126503977));
    y = v_fma(y, x, v_set(0.008333333333333331480));
    y = v_fma(y, x, v_set(-0.1666666666666666667));
    return y;
}
/* (cos(r) - 1 + z / 2) / z^2, z = r^2 on [0, 0.6175]: weighted error 7.7e-19 */
BP__INLINE V BP__TN(vm_poly_cos)(V x) {
    V y = v_set(-1.138253996717745803e-11);
    y = v_fma(y, x, v_set(2.087614498441391429e-9));
    y = v_fma(y, x, v_set(-2.755731726556588944e-7));
    y = v_fma(y, x, v_set(0.00002480158729875379870));
    y = v_fma(y, x, v_set(-0.001388888888888738937));
    y = v_fma(y, x, v_set(0.04166666666666666538));
    return y;
}
/* (atan(t) / t - 1) / z, z = t^2 on [0, 0.1717]: weighted error 5.4e-18 */
BP__INLINE V BP__TN(vm_poly_atan)(V x) {
    V y = v_set(-0.01916590650630430115);
    y = v_fma(y, x, v_set(0.03922268882347632212));
    y = v_fma(y, x, v_set(-0.05085139148706637969));
    y = v_fma(y, x, v_set(0.05858089538610203153));
    y = v_fma(y, x, v_set(-0.06664504610032647934));
    y = v_fma(y, x, v_set(0.07692182705246319783));
    y = v_fma(y, x, v_set(-0.09090904557214266937));
    y = v_fma(y, x, v_set(0.1111111101474156187));
    y = v_fma(y, x, v_set(-0.1428571428466014021));
    y = v_fma(y, x, v_set(0.1999999999999548998));
    y = v_fma(y, x, v_set(-0.3333333333333333014));
    return y;
}
/* (asin(x) / x - 1) / z, z = x^2 on [0, 0.25]: weighted error 3.8e-18 */
BP__INLINE V BP__TN(vm_poly_asin)(V x) {
    V y = v_set(0.02875785136742156471);
    y = v_fma(y, x, v_set(-0.01485188707124720322));
    y = v_fma(y, x, v_set(0.01740087944269402244));
    y = v_fma(y, x, v_set(0.005457506718640358300));
    y = v_fma(y, x, v_set(0.01032281435018577929));
    y = v_fma(y, x, v_set(0.01147917741518490590));
    y = v_fma(y, x, v_set(0.01397121297355293330));
    y = v_fma(y, x, v_set(0.01735239272086997294));
    y = v_fma(y, x, v_set(0.02237217294214988787));
    y = v_fma(y, x, v_set(0.03038194413853124729));
    y = v_fma(y, x, v_set(0.04464285714635542978));
    y = v_fma(y, x, v_set(0.07499999999998432933));
    y = v_fma(y, x, v_set(0.1666666666666666783));
    return y;
}
/* (sinh(x) / x - 1) / z, z = x^2 on [0, 1]: weighted error 3.0e-19 */
BP__INLINE V BP__TN(vm_poly_sinh)(V x) {
    V y = v_set(7.746178593018827489e-13);
    y = v_fma(y, x, v_set(1.605767962380163775e-10));
    y = v_fma(y, x, v_set(2.505211769590782357e-8));
    y = v_fma(y, x, v_set(2.755731919138181700e-6));
    y = v_fma(y, x, v_set(0.0001984126984132419792));
    y = v_fma(y, x, v_set(0.008333333333333299355));
    y = v_fma(y, x, v_set(0.1666666666666666670));
    return y;
}
/* erf(x) / x - 1, z = x^2 on [0, 1]: weighted error 7.4e-18 */
BP__INLINE V BP__TN(vm_poly_erf)(V x) {
    V y = v_set(-7.795898827002142242e-10);
    y = v_fma(y, x, v_set(1.372006454677768560e-8));
    y = v_fma(y, x, v_set(-1.620848380187170590e-7));
    y = v_fma(y, x, v_set(1.644742470331736241e-6));
    y = v_fma(y, x, v_set(-0.00001492473690741966034));
    y = v_fma(y, x, v_set(0.0001205529490483970792));
    y = v_fma(y, x, v_set(-0.0008548325975389692081));
    y = v_fma(y, x, v_set(0.005223977607116422732));
    y = v_fma(y, x, v_set(-0.02686617064323777036));
    y = v_fma(y, x, v_set(0.1128379167094500627));
    y = v_fma(y, x, v_set(-0.3761263890318354044));
    y = v_fma(y, x, v_set(0.1283791670955125665));
    return y;
}
/* log(erfc(1 + u)) on [0, 5]: weighted error 4.8e-18 */
BP__INLINE V BP__TN(vm_poly_log_erfc)(V x) {
    V y = v_set(6.325520588718492721e-19);
    y = v_fma(y, x, v_set(-4.304840113498005153e-17));
    y = v_fma(y, x, v_set(1.392084923212940255e-15));
    y = v_fma(y, x, v_set(-2.847812684810216453e-14));
    y = v_fma(y, x, v_set(4.139267766144228151e-13));
    y = v_fma(y, x, v_set(-4.550533230853444721e-12));
    y = v_fma(y, x, v_set(3.930970685424521130e-11));
    y = v_fma(y, x, v_set(-2.733640797285653731e-10));
    y = v_fma(y, x, v_set(1.551880226215881599e-9));
    y = v_fma(y, x, v_set(-7.217267174036437793e-9));
    y = v_fma(y, x, v_set(2.714810674572325788e-8));
    y = v_fma(y, x, v_set(-7.846484305037978004e-8));
    y = v_fma(y, x, v_set(1.415297086042596345e-7));
    y = v_fma(y, x, v_set(8.646472354339327503e-8));
    y = v_fma(y, x, v_set(-2.004207699950763454e-6));
    y = v_fma(y, x, v_set(9.567176249351181883e-6));
    y = v_fma(y, x, v_set(-0.00002713550927299477132));
    y = v_fma(y, x, v_set(0.00002626799057756925202));
    y = v_fma(y, x, v_set(0.0002373254711564652641));
    y = v_fma(y, x, v_set(-0.001977903198622832754));
    y = v_fma(y, x, v_set(0.01003382546263497121));
    y = v_fma(y, x, v_set(-0.04156109804938037592));
    y = v_fma(y, x, v_set(-0.8431072563583274612));
    y = v_fma(y, x, v_set(-2.638967514234794865));
    y = v_fma(y, x, v_set(-1.849605509933248234));
    return y;
}
/* (f(t) - f(0)) / t, f = (1 + 2 a) e^(a^2) erfc(a), t = (a - 2) / (a + 2) on [-0.61, 0.87]: weighted error 6.8e-18 */
BP__INLINE V BP__TN(vm_poly_erfcx)(V x) {
    V y = v_set(-1.061318255102576825e-7);
    y = v_fma(y, x, v_set(1.988594126982900289e-7));
    y = v_fma(y, x, v_set(3.321528222049679126e-7));
    y = v_fma(y, x, v_set(-4.004345423950469239e-7));
    y = v_fma(y, x, v_set(-9.495167361330321795e-7));
    y = v_fma(y, x, v_set(-5.646618681123941183e-7));
    y = v_fma(y, x, v_set(1.530204708159630199e-6));
    y = v_fma(y, x, v_set(5.160147043706852896e-6));
    y = v_fma(y, x, v_set(3.714012742664736434e-6));
    y = v_fma(y, x, v_set(-0.00001347445817562898223));
    y = v_fma(y, x, v_set(-0.00003642681933259050881));
    y = v_fma(y, x, v_set(-1.513162585040683185e-6));
    y = v_fma(y, x, v_set(0.0001510400798948645434));
    y = v_fma(y, x, v_set(0.0002063675843147815054));
    y = v_fma(y, x, v_set(-0.0004543409506669253653));
    y = v_fma(y, x, v_set(-0.001456813972360741050));
    y = v_fma(y, x, v_set(0.001271338974491948125));
    y = v_fma(y, x, v_set(0.008722653876673820180));
    y = v_fma(y, x, v_set(-0.008034015082731761143));
    y = v_fma(y, x, v_set(-0.05422000099205439603));
    y = v_fma(y, x, v_set(0.1640512800334466206));
    y = v_fma(y, x, v_set(-0.1660303976152892862));
    y = v_fma(y, x, v_set(-0.09276382658574602272));
    return y;
}
/* lgamma(1 + u) / u on [-0.5, 0.5]: weighted error 1.2e-17 */
BP__INLINE V BP__TN(vm_poly_lgamma1)(V x) {
    V y = v_set(-0.2251396034009192783);
    y = v_fma(y, x, v_set(0.2322026843181338207));
    y = v_fma(y, x, v_set(0.1683379511045848732));
    y = v_fma(y, x, v_set(-0.1731058111861302166));
    y = v_fma(y, x, v_set(-0.1534056152666196611));
    y = v_fma(y, x, v_set(0.1584676663477432614));
    y = v_fma(y, x, v_set(-0.004485262603857743126));
    y = v_fma(y, x, v_set(0.005299145410064581953));
    y = v_fma(y, x, v_set(-0.05663969322285953877));
    y = v_fma(y, x, v_set(0.05928878667667664098));
    y = v_fma(y, x, v_set(-0.05117780893522226291));
    y = v_fma(y, x, v_set(0.05405877674301457380));
    y = v_fma(y, x, v_set(-0.05898924031065899252));
    y = v_fma(y, x, v_set(0.06267111047276929653));
    y = v_fma(y, x, v_set(-0.06665550719444014277));
    y = v_fma(y, x, v_set(0.07141935724662936827));
    y = v_fma(y, x, v_set(-0.07693324338734528527));
    y = v_fma(y, x, v_set(0.08335458900295018053));
    y = v_fma(y, x, v_set(-0.09095399050709609272));
    y = v_fma(y, x, v_set(0.1000994300874775271));
    y = v_fma(y, x, v_set(-0.1113342664806403882));
    y = v_fma(y, x, v_set(0.1255096701538527544));
    y = v_fma(y, x, v_set(-0.1440498967609318566));
    y = v_fma(y, x, v_set(0.1695571769892604489));
    y = v_fma(y, x, v_set(-0.2073855510287217376));
    y = v_fma(y, x, v_set(0.2705808084278337086));
    y = v_fma(y, x, v_set(-0.4006856343865313431));
    y = v_fma(y, x, v_set(0.8224670334241131303));
    y = v_fma(y, x, v_set(-0.5772156649015328606));
    return y;
}
/* lgamma(2 + u) / u on [-0.5, 1]: weighted error 1.3e-17 */
BP__INLINE V BP__TN(vm_poly_lgamma2)(V x) {
    V y = v_set(-3.733822460565909139e-9);
    y = v_fma(y, x, v_set(2.746839851035883710e-8));
    y = v_fma(y, x, v_set(-9.589429084119169552e-8));
    y = v_fma(y, x, v_set(2.277028950586525991e-7));
    y = v_fma(y, x, v_set(-4.654583749155807682e-7));
    y = v_fma(y, x, v_set(9.557730442952401939e-7));
    y = v_fma(y, x, v_set(-2.031817005255926204e-6));
    y = v_fma(y, x, v_set(4.371821887177551634e-6));
    y = v_fma(y, x, v_set(-9.440803901004000633e-6));
    y = v_fma(y, x, v_set(0.00002050825743294934818));
    y = v_fma(y, x, v_set(-0.00004492618057588352112));
    y = v_fma(y, x, v_set(0.00009945734627054002027));
    y = v_fma(y, x, v_set(-0.0002231547461210815260));
    y = v_fma(y, x, v_set(0.0005096695388773663895));
    y = v_fma(y, x, v_set(-0.001192753913468957077));
    y = v_fma(y, x, v_set(0.002890510330113148501));
    y = v_fma(y, x, v_set(-0.007385551028591605302));
    y = v_fma(y, x, v_set(0.02058080842779736141));
    y = v_fma(y, x, v_set(-0.06735230105319937662));
    y = v_fma(y, x, v_set(0.3224670334241131381));
    y = v_fma(y, x, v_set(0.4227843350984671424));
    return y;
}
#endif
