package org.edge_asr.core.measure

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Energy of a window of time; that the figures are Python's is shown in tests/android/test_report_schema.py. */
class EnergyIntegralTest {
    private val seconds = DoubleArray(11) { it.toDouble() }
    private val ramp = DoubleArray(11) { 1 + 0.1 * it }

    private fun refusal(span: Span, timesS: DoubleArray = seconds, maxGapS: Double = 5.0): String =
        assertThrows(NotCoveredException::class.java) {
            integratePower(timesS, DoubleArray(timesS.size) { 1.0 }, span, maxGapS)
        }.message!!

    @Test
    fun `a ramp is integrated exactly, between samples too`() {
        // the integral of 1 + t/10 from 2.5 to 7.25
        val expected = 4.75 + 0.05 * (7.25 * 7.25 - 2.5 * 2.5)
        val found = integratePower(seconds, ramp, Span(2.5, 7.25), maxGapS = 5.0)
        assertEquals(expected, found.joules, 1e-12)
        assertEquals(5, found.samples)
        assertEquals(1.0, found.sampleHz, 1e-12)
    }

    @Test
    fun `parts of a window add up to the whole`() {
        val whole = integratePower(seconds, ramp, Span(0.3, 9.9), maxGapS = 5.0).joules
        val parts = listOf(Span(0.3, 4.1), Span(4.1, 6.6), Span(6.6, 9.9)).sumOf { integratePower(seconds, ramp, it, 5.0).joules }
        assertEquals(whole, parts, 1e-12)
    }

    @Test
    fun `what is not covered is refused with what is wrong`() {
        assertEquals("there are no samples", refusal(Span(0.0, 1.0), doubleArrayOf()))
        assertEquals("samples begin 1.00 s after the window does", refusal(Span(-1.0, 5.0)))
        assertEquals("samples end 2.00 s before the window does", refusal(Span(1.0, 12.0)))
        assertEquals("1 samples in a window of 0.200 s are too few", refusal(Span(3.9, 4.1)))
        assertEquals("a window must end after it begins: 4.00 s to 4.00 s", refusal(Span(4.0, 4.0)))
        val gappy = doubleArrayOf(0.0, 1.0, 2.0, 8.0, 9.0, 10.0)
        assertEquals("a gap of 6.00 s between samples; at most 5.00 s can be bridged", refusal(Span(0.5, 9.5), gappy))
    }

    @Test
    fun `a gap outside the window does no harm`() {
        val gappy = doubleArrayOf(0.0, 1.0, 2.0, 3.0, 9.0, 10.0)
        assertEquals(2.5, integratePower(gappy, DoubleArray(6) { 1.0 }, Span(0.25, 2.75), maxGapS = 1.0).joules, 1e-12)
    }

    @Test
    fun `power that moves is less certain than power that stands still`() {
        val steady = integratePower(seconds, DoubleArray(11) { 2.0 }, Span(0.0, 10.0), maxGapS = 5.0)
        val moving = integratePower(seconds, DoubleArray(11) { 1.0 + it % 2 * 2 }, Span(0.0, 10.0), maxGapS = 5.0)
        assertEquals(0.0, steady.uncertaintyJ, 0.0)
        assertTrue(moving.uncertaintyJ > 1)
    }

    @Test
    fun `a counter is read by its difference`() {
        val joules = DoubleArray(11) { 100 + 3.0 * it }
        val found = integrateCounter(seconds, joules, Span(1.5, 8.5), highestW = 100.0)
        assertEquals(21.0, found.joules, 1e-12)
        assertEquals(0.0, found.uncertaintyJ, 1e-12)
    }

    @Test
    fun `a counter that steps at the edge is uncertain by what may lie on the other side`() {
        val joules = doubleArrayOf(0.0, 1.0, 2.0, 12.0, 22.0, 32.0)
        val times = DoubleArray(6) { it.toDouble() }
        val sharp = integrateCounter(times, joules, Span(2.0, 4.0), highestW = 100.0).uncertaintyJ
        val between = integrateCounter(times, joules, Span(2.5, 4.5), highestW = 100.0).uncertaintyJ
        assertEquals(0.0, sharp, 1e-9)
        // a quarter of the second times the nine watts between
        assertEquals(1.96 * 0.25 * 9, between, 1e-9)
    }

    @Test
    fun `a rise that no phone can make was a reset, and spoils the windows that it touches alone`() {
        val joules = DoubleArray(11) { 3.0 * it + if (it > 5) 1e4 else 0.0 }
        val said = assertThrows(NotCoveredException::class.java) { integrateCounter(seconds, joules, Span(1.0, 5.5), highestW = 100.0) }
        assertEquals("the energy counter rose by 10003.00 J in 1.00 s, more than the 100 W that are possible: it was reset; measure again", said.message)
        assertEquals(12.0, integrateCounter(seconds, joules, Span(1.0, 5.0), highestW = 100.0).joules, 1e-9)
        assertEquals(9.0, integrateCounter(seconds, joules, Span(6.0, 9.0), highestW = 100.0).joules, 1e-9)
    }
}
