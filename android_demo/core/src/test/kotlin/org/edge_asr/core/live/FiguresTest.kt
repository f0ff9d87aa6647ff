package org.edge_asr.core.live

import java.util.Locale
import org.junit.Assert.assertEquals
import org.junit.Test

class FiguresTest {
    private val figures = Figures(Locale.UK)

    @Test
    fun `what is not known is a dash`() {
        assertEquals("–", figures.powerMw(null))
        assertEquals("–", figures.realTimeFactor(Double.NaN))
        assertEquals("–", figures.latencyMs(Double.POSITIVE_INFINITY))
    }

    @Test
    fun `only none is 0 percent, and only all is 100`() {
        assertEquals("0", figures.percent(0.0))
        assertEquals("1", figures.percent(0.001))
        assertEquals("33", figures.percent(0.332))
        assertEquals("99", figures.percent(0.999))
        assertEquals("100", figures.percent(1.0))
    }

    @Test
    fun `a real-time factor has two digits that count`() {
        assertEquals("0.0017", figures.realTimeFactor(0.00171))
        assertEquals("0.013", figures.realTimeFactor(0.0128))
        assertEquals("0.25", figures.realTimeFactor(0.249))
        assertEquals("1.3", figures.realTimeFactor(1.26))
        assertEquals("0.0", figures.realTimeFactor(0.0))
    }

    @Test
    fun `short steps have a decimal`() {
        assertEquals("0.9", figures.latencyMs(0.93))
        assertEquals("12", figures.latencyMs(12.4))
    }

    @Test
    fun `numbers are written as the reader's language does`() {
        assertEquals("0,70", Figures(Locale.GERMANY).threshold(0.7f))
        assertEquals("1.234", Figures(Locale.GERMANY).powerMw(1234.4))
        assertEquals("36,4", Figures(Locale.GERMANY).temperatureC(36.42))
    }

    @Test
    fun `a slider position is a hundredth`() {
        assertEquals(0.7f, ThresholdScale.threshold(70), 0f)
        for (position in 0..ThresholdScale.POSITIONS) {
            assertEquals(position, ThresholdScale.position(ThresholdScale.threshold(position)))
        }
        assertEquals(1f, ThresholdScale.threshold(ThresholdScale.POSITIONS), 0f)
    }
}
