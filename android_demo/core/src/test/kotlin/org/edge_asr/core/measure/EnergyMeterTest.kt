package org.edge_asr.core.measure

import java.util.concurrent.atomic.AtomicInteger
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Meters over samples that come one by one. */
class EnergyMeterTest {
    private val lastSecond = 12

    /** Reads what [at] gives for second 0, 1, 2, ...; stopped when all were read. */
    private fun battery(at: (Int) -> BatterySample): BatteryMeter {
        val second = AtomicInteger(-1) // the meter looks once to see whether it can measure
        val meter = BatteryMeter(intervalS = 0.001) { at(maxOf(0, second.getAndIncrement())).takeIf { second.get() <= lastSecond } }
        check(meter.problem == null) { meter.problem!! }
        meter.start()
        while (second.get() <= lastSecond) Thread.sleep(1)
        meter.stop()
        return meter
    }

    private fun rails(at: (Int) -> RailSample): RailMeter {
        val second = AtomicInteger(-1)
        val meter = RailMeter({ listOf("S1M_VDD_CPU", "S2M_VDD_GPU", "L3M_VDD_AUX") }, { lastSecond.toDouble() }, intervalS = 0.001) {
            at(maxOf(0, second.getAndIncrement())).takeIf { second.get() <= lastSecond }
        }
        check(meter.problem == null) { meter.problem!! }
        meter.start()
        while (second.get() <= lastSecond) Thread.sleep(1)
        meter.stop()
        return meter
    }

    private fun rail(second: Int, plugged: Boolean = false) = RailSample(
        second.toDouble(),
        mapOf("S1M_VDD_CPU" to 1_000_000L * second, "S2M_VDD_GPU" to 500_000L * second, "L3M_VDD_AUX" to 9_000_000L * second),
        plugged,
    )

    private fun refusal(ask: () -> Unit): String = assertThrows(NotCoveredException::class.java, ask).message!!

    // the sampling interval of a thousandth allows gaps of a second
    private val interval = Span(1.5, 8.5)

    @Test
    fun `a battery gives current times voltage over the window`() {
        val meter = battery { BatterySample(it.toDouble(), -500_000, 4_000, false) }
        assertEquals(14.0, meter.window(interval).joules, 1e-9)
        assertTrue(meter.readings()!!.contains("taken for µA"))
    }

    @Test
    fun `a window in which the charger was plugged in is refused, the others are not`() {
        val meter = battery { BatterySample(it.toDouble(), if (it == 5) 700_000 else -500_000, 4_000, it == 5) }
        assertEquals(PLUGGED, refusal { meter.window(interval) })
        assertEquals(PLUGGED, refusal { meter.window(Span(0.5, 4.5)) }) // some time between the samples of 4 and 5
        assertEquals(4.0, meter.window(Span(1.0, 3.0)).joules, 1e-9)
    }

    @Test
    fun `a phone that is plugged in, or tells no current, is a problem from the start`() {
        assertEquals(PLUGGED, BatteryMeter { BatterySample(0.0, 500_000, 4_000, true) }.problem)
        assertEquals("the battery's gauge tells no current", BatteryMeter { BatterySample(0.0, null, 4_000, false) }.problem)
        assertEquals("the battery's gauge tells no current", BatteryMeter { null }.problem)
        assertEquals(PLUGGED, RailMeter({ listOf("S1") }, { 0.0 }) { rail(0, plugged = true) }.problem)
        assertEquals("the phone has no power rails that an app may read", RailMeter({ emptyList() }, { 0.0 }) { null }.problem)
        assertNull(RailMeter({ listOf("S1M_VDD_CPU") }, { 0.0 }) { rail(0) }.problem)
    }

    @Test
    fun `rails are summed without those that another one feeds`() {
        val meter = rails { rail(it) }
        assertEquals(1.5 * 7, meter.window(interval).joules, 1e-9)
        assertEquals("the sum of 2 rails: S1M_VDD_CPU, S2M_VDD_GPU", meter.covers)
    }

    @Test
    fun `figures that the system repeats are no new reading`() {
        val meter = rails { rail(if (it in 3..9) 3 else it) }
        assertEquals(1.5 * 7, meter.window(interval).joules, 1e-9) // by difference a gap loses nothing
        assertTrue(meter.window(interval).uncertaintyJ >= 0)
        assertEquals(2, meter.window(interval).samples)
        assertTrue(meter.readings()!!.contains("at most 7.0 s apart"))
        assertEquals("0 samples in a window of 2.000 s are too few", refusal { meter.window(Span(4.0, 6.0)) })
    }

    @Test
    fun `a counter that runs backwards, and a rail that is missing, are refused`() {
        assertEquals("the counter of rail S1M_VDD_CPU fell: it was reset during the run", refusal { rails { rail(it).copy(timeS = 2.0 * it, countsUws = rail(9 - it % 9).countsUws) }.window(interval) })
        assertEquals("there are no samples", refusal { rails { rail(it).copy(countsUws = mapOf("S1M_VDD_CPU" to 1L)) }.window(interval) })
    }

    @Test
    fun `a source that throws leaves a gap and stops nothing`() {
        val sampling = Sampling<Int>(0.001) { throw IllegalStateException("the service has died") }
        sampling.start()
        assertEquals(emptyList<Int>(), sampling.stop())
    }

    @Test
    fun `sampling has read once when it has started, and reads once more when it ends`() {
        val count = AtomicInteger()
        val sampling = Sampling(60.0) { count.incrementAndGet() }
        sampling.start()
        assertEquals(1, count.get())
        assertEquals(listOf(1, 2), sampling.stop())
    }

    @Test
    fun `it goes on after its end until a reading is new enough`() {
        val count = AtomicInteger()
        val sampling = Sampling(0.001) { count.incrementAndGet() }
        sampling.start()
        val last = count.get() + 20
        assertEquals(last, sampling.stop { it == last }.last())
    }

    @Test
    fun `one rail that is reset is refused though the sum of all rises`() {
        fun reset(second: Int) = rail(second).let { it.copy(countsUws = it.countsUws + ("S2M_VDD_GPU" to if (second < 2) 500_000L * second else 0L)) }
        assertEquals("the counter of rail S2M_VDD_GPU fell: it was reset during the run", refusal { rails { reset(it) }.window(interval) })
    }

    @Test
    fun `a rail that jumps is refused`() {
        fun jump(second: Int) = rail(second).let { it.copy(countsUws = it.countsUws + ("S2M_VDD_GPU" to 500_000L * second + if (second < 5) 0L else 1_000_000_000_000L)) }
        assertTrue(refusal { rails { jump(it) }.window(interval) }.contains("more than the 200 W that are possible: it was reset"))
    }
}
