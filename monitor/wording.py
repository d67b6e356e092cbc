"""What a refusal's reason is called in Chinese."""

from connectors.observation import Refused

REFUSED = {
    Refused.NOT_A_NUMBER: "不是数值",
    Refused.BAD_PERIOD: "期间无法识别",
    Refused.BAD_DATE: "发布日期无法识别",
    Refused.FUTURE_PERIOD: "期间尚未到来",
    Refused.UNKNOWN_SERIES: "没有指标名称",
    Refused.UNKNOWN_UNIT: "计量单位与该序列已入库的不同",
    Refused.WRONG_DIMENSION: "计量单位或对象与目标不符",
    Refused.TORN_ROW: "行列错位",
    Refused.CONFLICT: "同一数据前后不一",
    Refused.UNKNOWN_SUBJECT: "目标册中没有这一对象",
    Refused.OUT_OF_RANGE: "超出可能的范围",
    Refused.WRONG_SCALE: "疑为万、亿错位",
    Refused.CUMULATIVE_FELL: "累计数较前期减少",
    Refused.JUMP: "较前期骤变",
}
